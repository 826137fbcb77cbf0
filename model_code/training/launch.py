"""Runs a training job in this process, or in several that it starts and follows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from model_code.bundle import Bundle
from model_code.training.interrupt import Interrupts, deferred_interrupts
from model_code.training.job import Job
from model_code.training.loop import Progress
from model_code.training.train import train

ROOT = Path(__file__).resolve().parents[2]


class WorkersError(Exception):
    """A process failed; the message is its own."""


def run(job: Job, report: Callable[[Progress], None]) -> Bundle:
    """Do a job: here, or in ``job.training.processes`` processes of this machine.

    Args:
        job: what to do.
        report: called with the progress of process 0.

    Raises:
        KeyboardInterrupt: on Ctrl-C, after a checkpoint.
        WorkersError: when one of several processes fails; the errors of `train` when there is one.
    """
    if job.training.processes == 1:
        return train(job, report)
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w+") as log:
        path = Path(folder) / "job.json"
        job.write(path)
        torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(job.training.processes)]
        workers = subprocess.Popen(
            [sys.executable, "-m", *torchrun, "-m", "model_code.training.worker", str(path)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,  # Ctrl-C reaches them from here, and once
        )
        try:
            with deferred_interrupts() as interrupts:
                failures = _follow(workers, report, interrupts)
        finally:
            workers.terminate()
            code = workers.wait()
        if interrupts:
            raise KeyboardInterrupt(failures[0] if failures else "training stopped")
        if code:
            log.seek(0)
            raise WorkersError(failures[0] if failures else log.read()[-2000:])
    return Bundle(Path(job.out))


def _follow(
    workers: subprocess.Popen[str], report: Callable[[Progress], None], interrupts: Interrupts
) -> list[str]:
    """Read what the workers say until all have ended; return why they stopped, failures first."""
    reasons: list[tuple[bool, str]] = []
    told = False
    output: IO[str] = workers.stdout  # type: ignore[assignment]
    for line in output:
        if interrupts and not told:
            workers.send_signal(signal.SIGINT)
            told = True
        said = json.loads(line) if line.startswith("{") else {}
        if "progress" in said:
            report(Progress(**said["progress"]))
        elif "error" in said:
            reasons.append((said["stopped"], said["error"]))
    return [reason for _, reason in sorted(reasons, key=lambda item: item[0])]
