"""Seconds and memory of evaluating many scored samples, and of ranking many candidates for one history.

    python -m benchmarks.evaluate --samples 1000000 100000000 --json evaluate.json

Each row is measured in a process of its own; its peak memory is the kernel's (Linux), libraries included.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa

from model_code.evaluation.evaluate import EvaluationSettings, evaluate
from model_code.evaluation.scores import SCHEMA, write_scores

Row = dict[str, float | int | str]

CANDIDATES, GROUPS_PER_USER = 10, 3  # of the scored samples
GROUPS_PER_BATCH = 1 << 15
RANKED, WARM_UP, RUNS = 1000, 5, 50  # of the ranking


def main() -> None:
    """Measure, print a table and, if asked to, write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[1_000_000, 10_000_000], metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here too")
    arguments = parser.parse_args()
    evaluations: list[Row] = []
    rankings: list[Row] = []
    with TemporaryDirectory() as folder:
        for samples in arguments.samples:
            path = Path(folder) / "scores.parquet"
            _apart(write_samples, path, samples)
            evaluations.append(_apart(time_evaluation, path))
        for model in ("deminet", "din"):
            rankings.append(_apart(time_ranking, model, Path(folder)))
    for rows in (evaluations, rankings):
        _print(rows)
    if arguments.json:
        arguments.json.write_text(json.dumps({"evaluate": evaluations, "rank": rankings}, indent=2) + "\n")


def _apart(function: Callable[..., Any], *arguments: Any) -> Any:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def write_samples(path: Path, samples: int) -> None:
    """Write a table of simulated scores."""
    groups = max(samples // CANDIDATES, 1)
    write_scores(path, (_batch(start, groups) for start in range(0, groups, GROUPS_PER_BATCH)))


def _batch(start: int, groups: int) -> pa.RecordBatch:
    random = np.random.default_rng([0, start])
    group = np.arange(start, min(start + GROUPS_PER_BATCH, groups))[:, None]
    shape = (len(group), CANDIDATES)
    user = random.integers(groups // GROUPS_PER_USER + 1, size=group.shape)
    label = np.arange(CANDIDATES) == 0
    logit = random.normal(np.where(label, -1.5, -2.5), 1.2, shape).astype(np.float32)
    columns = {
        "sample_id": group * CANDIDATES + np.arange(CANDIDATES),
        "group": group,
        "user": user,
        "label": label.astype(np.int8),
        "score": 1 / (1 + np.exp(-logit)),
        "logit": logit,
        "item_known": random.random(shape) < 0.8,
        "user_known": user % 4 > 0,
        "history_length": (1 + user % 50).astype(np.int32),
        "repeat": random.random(shape) < 0.1,
    }
    arrays = [pa.array(np.broadcast_to(columns[name], shape).ravel()) for name in SCHEMA.names]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def time_evaluation(path: Path) -> Row:
    """Evaluate a table of scores with the default settings."""
    began = time.perf_counter()
    samples = evaluate(path, EvaluationSettings()).metrics.samples
    seconds = time.perf_counter() - began
    peak = _peak_memory()
    return {
        "samples": samples,
        "seconds": round(seconds, 1),
        "peak MiB": round(peak / 2**20),
        "bytes a sample": round(peak / samples, 1),
    }


def _peak_memory() -> int:
    """Bytes; not from the resource module, whose peak starts from that of the parent process."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def time_ranking(model: str, folder: Path) -> Row:
    """Rank candidates for one full history with fresh weights of a model."""
    # Here, to keep torch out of the processes whose memory is measured.
    from benchmarks.fresh_bundle import HISTORY, ITEMS, fresh_bundle  # noqa: PLC0415

    ranker = fresh_bundle(model, folder).ranker()
    random = np.random.default_rng(0)
    milliseconds = []
    for _ in range(WARM_UP + RUNS):
        history, candidates = (random.integers(ITEMS, size=size).tolist() for size in (HISTORY, RANKED))
        began = time.perf_counter()
        ranker.rank(history, candidates)
        milliseconds.append(1000 * (time.perf_counter() - began))
    median = statistics.median(milliseconds[WARM_UP:])
    return {"model": model, "candidates": RANKED, "median ms": round(median, 2), "runs": RUNS}


def _print(rows: list[Row]) -> None:
    cells = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))
    print()


if __name__ == "__main__":
    main()
