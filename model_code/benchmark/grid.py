"""The grid: many cells, some at a time, each in a process of its own; what is finished is kept.

A process a cell keeps one model's memory and threads out of another's way.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean
from typing import IO, Any, NamedTuple

from model_code.benchmark.cell import Cell, CellFolder
from model_code.benchmark.work import Task
from model_code.evaluation.evaluate import EvaluationSettings
from model_code.training.interrupt import deferred_interrupts
from model_code.training.launch import ROOT
from model_code.training.loop import Progress

REPORT_SECONDS = 0.5


class Outcome(NamedTuple):
    """What came of a grid."""

    finished: list[tuple[Cell, CellFolder]]
    failures: dict[str, str]  # by name of the cell, its own message


@dataclass(frozen=True)
class GridProgress:
    """What a progress bar shows."""

    cells: int
    finished: int
    running: dict[str, Progress]  # by name of the cell
    seconds_left: float | None  # None until a cell has been finished


@dataclass(frozen=True)
class Grid:
    """Cells to finish.

    Attributes:
        cells: in the order in which they are taken.
        evaluation: how to measure them.
        data: folder of the prepared log.
        store: where their folders lie; a later run finds there what this one has finished.
        versions: by cell's name, the version of all else that its scores depend on: data and code.
        evaluation_version: of the code that measures them.
        workers: cells that are trained at a time; they share the CPU's threads.
    """

    cells: Sequence[Cell]
    evaluation: EvaluationSettings
    data: Path
    store: Path
    versions: Mapping[str, str]
    evaluation_version: str = ""
    workers: int = 1

    def folder(self, cell: Cell) -> CellFolder:
        """Where a cell lies, finished or not; another setting, version or log has another folder."""
        path = self.store / f"{cell.name}-{self._fingerprint(cell)[:16]}"
        return CellFolder(path, f"-{_hash([asdict(self.evaluation), self.evaluation_version])[:16]}")

    def run(self, report: Callable[[GridProgress], None]) -> Outcome:
        """Finish all cells; one that fails does not keep the others from it.

        Args:
            report: called about twice a second, and when a cell is finished.

        Raises:
            KeyboardInterrupt: on Ctrl-C, after each running cell has saved a checkpoint.
        """
        folders = {cell.name: self.folder(cell) for cell in self.cells}
        waiting = [cell for cell in self.cells if not folders[cell.name].finished]
        state = _State(folders=folders, workers=self.workers)
        with deferred_interrupts() as interrupts, ThreadPoolExecutor(self.workers) as pool:
            futures = [pool.submit(self._finish, cell, state) for cell in waiting]
            try:
                while not all(future.done() for future in futures):
                    if interrupts:
                        state.stop()
                    report(state.progress())
                    time.sleep(REPORT_SECONDS)
            except BaseException:
                state.stop()  # else the pool would go through all the cells before anyone hears of it
                raise
        report(state.progress())
        if state.stopped:
            raise KeyboardInterrupt("the grid was stopped; run again to go on")
        finished = [(cell, folders[cell.name]) for cell in self.cells if folders[cell.name].finished]
        return Outcome(finished, state.failures)

    def _fingerprint(self, cell: Cell) -> str:
        settings = asdict(cell)
        for name in ("checkpoint_seconds", "threads"):  # change no result beyond rounding
            del settings["training"][name]
        return _hash([settings, self.versions[cell.name]])

    def _finish(self, cell: Cell, state: _State) -> None:
        if state.stopped:
            return
        try:
            self._work(cell, state)
        except Exception as error:
            state.failures[cell.name] = f"{type(error).__name__}: {error}"

    def _work(self, cell: Cell, state: _State) -> None:
        folder = self.folder(cell)
        folder.path.mkdir(parents=True, exist_ok=True)
        task = folder.path / "task.json"
        Task(
            cell=cell,
            evaluation=self.evaluation,
            data=str(self.data),
            folder=str(folder.path),
            measure=folder.measure,
            run=self._fingerprint(cell),
        ).write(task)
        threads = cell.training.threads or max(1, (os.cpu_count() or 1) // self.workers)
        with (folder.path / "log.txt").open("w") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "model_code.benchmark.work", str(task)],
                env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(threads)},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C reaches it from here, and once
            )
            state.follow(cell.name, worker)
        if worker.returncode and not state.stopped and cell.name not in state.failures:
            state.failures[cell.name] = _last_words(worker.returncode, folder.path / "log.txt")


def _hash(values: list[Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _last_words(code: int, log: Path) -> str:
    """Why a process ended that did not say it."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}; for want of memory?"
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit code {code}"


@dataclass
class _State:
    """What the threads of a running grid share."""

    folders: dict[str, CellFolder]
    workers: int
    stopped: bool = False
    running: dict[str, Progress | None] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def follow(self, name: str, worker: subprocess.Popen[str]) -> None:
        """Read what a worker says until it has ended."""
        with self.lock:
            self.processes[name], self.running[name] = worker, None
            if self.stopped:
                worker.send_signal(signal.SIGINT)
        output: IO[str] = worker.stdout  # type: ignore[assignment]
        for line in output:
            said = json.loads(line) if line.startswith("{") else {}
            with self.lock:
                if "progress" in said:
                    self.running[name] = Progress(**said["progress"])
                elif "error" in said and not self.stopped:
                    self.failures[name] = said["error"]
        worker.wait()
        with self.lock:
            del self.processes[name], self.running[name]

    def stop(self) -> None:
        """Tell the workers, once, to save and end."""
        if self.stopped:
            return
        with self.lock:
            self.stopped = True
            for worker in self.processes.values():
                worker.send_signal(signal.SIGINT)

    def progress(self) -> GridProgress:
        """Where the grid stands."""
        with self.lock:
            running = dict(self.running)
        took = {name: folder.seconds for name, folder in self.folders.items() if folder.finished}
        left = self._seconds_left(took, running) if took else None
        shown = {name: progress for name, progress in running.items() if progress is not None}
        return GridProgress(len(self.folders), len(took), shown, left)

    def _seconds_left(self, took: dict[str, float], running: dict[str, Progress | None]) -> float:
        """By the other seeds of the same model where there are any, else by the mean of all."""
        of_model: dict[str, list[float]] = {}
        for name, seconds in took.items():
            of_model.setdefault(name.rpartition("-")[0], []).append(seconds)
        usual, left = mean(took.values()), 0.0
        for name in self.folders.keys() - took.keys() - self.failures.keys():
            expected = mean(of_model.get(name.rpartition("-")[0], [usual]))
            left += max(expected - _spent(running.get(name)), 0.0)
        return left / self.workers


def _spent(progress: Progress | None) -> float:
    """Seconds of training so far, by the rate of the pass under way, whose own are all that is told."""
    if progress is None or progress.batch == progress.first_batch:
        return 0.0
    rate = progress.seconds / (progress.batch - progress.first_batch)
    return rate * (progress.epoch * progress.batches + progress.batch)
