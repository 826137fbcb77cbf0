"""Trains and evaluates one cell, in a process of its own: ``python -m model_code.benchmark.work task.json``.

What a killed process has finished is kept: the checkpoint of the training, then the bundle, then the scores.
It prints its progress, a JSON object a line, as the workers of `model_code.training` do.
"""

from __future__ import annotations

import fcntl
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from model_code.benchmark.cell import Cell, CellFolder
from model_code.bundle import BundleError
from model_code.evaluation.evaluate import EvaluationSettings, evaluate
from model_code.files import read_json, write_json
from model_code.scoring import score_part
from model_code.sequences.batches import ResidentLog
from model_code.sequences.data import SequenceData
from model_code.settings import parse, settings
from model_code.training.device import resolve_device
from model_code.training.job import Job
from model_code.training.launch import run
from model_code.training.loop import Progress


@settings
class Task:
    """A cell and where it is at home.

    Attributes:
        cell: what to train.
        evaluation: how to measure it.
        data: folder of the prepared log.
        folder: of the cell.
        measure: of `CellFolder`.
        run: fingerprint of everything that the scores depend on.
    """

    cell: Cell
    evaluation: EvaluationSettings
    data: str
    folder: str
    measure: str
    run: str

    def write(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> Task:
        """Read what `write` wrote."""
        return parse(cls, read_json(path), path.name)


def work(task: Task, report: Callable[[Progress], None]) -> CellFolder:
    """Finish a cell.

    Args:
        task: which.
        report: called about twice a second with the progress of the training.
    """
    folder = CellFolder(Path(task.folder), task.measure)
    with (folder.path / "lock").open("w") as lock:
        # A process whose grid was killed may be at work still: wait for it, and take what it has done.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.finished:
            _work(task, folder, report)
    return folder


def _work(task: Task, folder: CellFolder, report: Callable[[Progress], None]) -> None:
    if not _trained(folder):
        job = Job(
            choice=task.cell.choice,
            training=task.cell.training,
            data=task.data,
            out=str(folder.bundle.path),
            checkpoint=str(folder.path / "checkpoint.safetensors"),
            run=task.run,
        )
        run(job, report)
    if not folder.scores.exists():
        device = resolve_device(task.cell.training.device)
        data = SequenceData.load(Path(task.data))
        model = folder.bundle.load_model(device)
        score_part(model, data, ResidentLog.of(data, device), "test", folder.scores)
    evaluate(folder.scores, task.evaluation).write(folder.evaluation)


def _trained(folder: CellFolder) -> bool:
    try:
        folder.bundle.verify()
    except BundleError:
        return False
    return True


def _say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        work(Task.read(Path(sys.argv[1])), lambda progress: _say(progress=progress._asdict()))
    except (Exception, KeyboardInterrupt) as error:
        _say(error=f"{type(error).__name__}: {error}")
        raise
