"""The progress bar of a benchmark's grid."""

from __future__ import annotations

import sys
from datetime import timedelta

from tqdm import tqdm
from zenml.logger import get_logger

from model_code.benchmark.grid import GridProgress

logger = get_logger(__name__)

FORMAT = "{desc} |{bar:24}| {n_fmt} of {total_fmt} cells, {elapsed} since{postfix}"


class GridBar:
    """One bar over all cells, with the time left and where each running cell stands.

    In a terminal; a log file gets a line for each finished cell.
    """

    def __init__(self) -> None:
        self._bar: tqdm | None = None
        self._finished = -1

    def __enter__(self) -> GridBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, progress: GridProgress) -> None:
        """Show where the grid stands."""
        left = "" if progress.seconds_left is None else f", about {_clock(progress.seconds_left)} left"
        if self._bar is None:
            self._bar = tqdm(
                total=progress.cells,
                desc="benchmark",
                initial=progress.finished,
                bar_format=FORMAT,
                mininterval=0,
                file=sys.__stderr__,  # past the orchestrator, which would keep every redraw
                disable=None,  # unless it is a terminal
            )
        running = [
            f"{name} pass {at.epoch + 1} of up to {at.epochs}, {at.batch / max(at.batches, 1):.0%}"
            for name, at in sorted(progress.running.items())
        ]
        self._bar.set_postfix_str("; ".join(running) + left, refresh=False)
        self._bar.update(progress.finished - self._bar.n)
        self._bar.refresh()
        if progress.finished != self._finished:
            self._finished = progress.finished
            logger.info("%d of %d cells%s", progress.finished, progress.cells, left)


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
