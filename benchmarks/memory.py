"""How much memory training takes, phase by phase, on a log of any size.

    python -m benchmarks.memory --events 100000000 --items 4000000 --folder /a/disk/with/room

Makes up a log, then trains on it in a fresh process. Linux only: it reads /proc/self/status.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from benchmarks.synthetic_log import write_synthetic_log

COLUMNS = {"RSS": "VmRSS", "peak RSS": "VmHWM", "anonymous": "RssAnon", "mapped": "RssFile"}  # GB


def main() -> None:
    """Make the log, then train on it apart, or do the latter."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--max-length", type=int, default=50, help="longest history, in events")
    parser.add_argument("--model", choices=["deminet", "din"], default="deminet")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="of the log; default: a temporary one")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)  # the log, in the fresh process
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, options.model, options.steps)
        return
    with tempfile.TemporaryDirectory(prefix="log-", dir=options.folder) as folder:
        log = Path(folder) / "log"
        write_synthetic_log(log, options.events, options.items, options.max_length)
        command = [sys.executable, "-m", "benchmarks.memory", "--measure", str(log)]
        subprocess.run([*command, "--model", options.model, "--steps", str(options.steps)], check=True)


def measure(log: Path, name: str, steps: int) -> None:
    """Train on a prepared log and print what each phase took."""
    print("phase".ljust(16) + "".join(column.rjust(12) for column in ("seconds", *COLUMNS)))
    with phase("import"):
        # Here, so that the process that makes the log does without, and the table tells what they take.
        from model_code.models.table import build, entry  # noqa: PLC0415
        from model_code.sequences.batches import FitBatches, ResidentLog  # noqa: PLC0415
        from model_code.sequences.data import SequenceData  # noqa: PLC0415
        from model_code.training.loop import Fit, Validation  # noqa: PLC0415
        from model_code.training.settings import TrainingSettings  # noqa: PLC0415
    settings = TrainingSettings(device="cpu")
    with phase("load"):
        data = SequenceData.load(log)
    with phase("model"):
        model = build(name, entry(name).defaults(), data.shape)
        fit = Fit(model, settings, log.parent / "checkpoint", "benchmark", lambda progress: None)
    with phase("sampler"):
        groups = round(settings.batch_size / (1 + data.settings.negatives_per_positive))
        resident = ResidentLog.of(data)
        batches = FitBatches(data, resident, groups_per_batch=groups, seed=settings.seed)
    with phase("first batches"):
        epoch = batches.epoch(0)
        first = list(islice(epoch, 2))
    with phase("10,000 batches"):  # touch much of the log, as an epoch does
        for _ in islice(epoch, 10_000):
            pass
    with phase(f"{steps} steps"):
        for step, group in enumerate([*first, *islice(epoch, steps - len(first))], 1):
            fit.train_step(group, step)
    with phase("checkpoint"):  # of weights, moments and, as after an epoch, best weights
        fit.optimizer.flush()
        fit.end_epoch(Validation(auc=0.5, log_loss=0.7))


@contextmanager
def phase(title: str) -> Iterator[None]:
    """Print how long the body took and the memory of the process after it; the peak is that so far."""
    began = time.perf_counter()
    yield
    seconds = time.perf_counter() - began
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    memory = [int(status[key].split()[0]) / 1e6 for key in COLUMNS.values()]  # given in kB
    print(f"{title:16}" + "".join(f"{value:12.2f}" for value in (seconds, *memory)), flush=True)


if __name__ == "__main__":
    main()
