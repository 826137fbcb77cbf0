"""The progress bar of a search."""

from __future__ import annotations

import sys

from tqdm import tqdm

from model_code.training.loop import Progress
from steps.progress import FORMAT


class SearchBar:
    """One bar a search: trials, the part of the one under way included, best validation AUC, time left.

    Shown only in a terminal; a log file gets one line a trial from the tuning step.
    """

    def __init__(self, label: str, trials: int) -> None:
        self._done, self._trials = 0, trials
        self._trained = False  # since the last trial ended
        self._best = 0.0
        self._bar: tqdm = tqdm(
            total=trials,
            desc=label,
            bar_format=FORMAT,
            mininterval=0,  # the training loop sets the pace
            file=sys.__stderr__,  # past the orchestrator, which would keep every redraw in the step's log
            disable=None,  # unless it is a terminal
        )

    def __enter__(self) -> SearchBar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def __call__(self, progress: Progress) -> None:
        """Show where the trial under way stands; one that stops early makes the bar jump ahead."""
        self._trained = True
        passes = progress.epoch + progress.batch / progress.batches
        self._show(self._done + passes / progress.epochs)

    def done(self, auc: float | None) -> None:
        """Show that a trial has ended, with its AUC if it finished."""
        self._done += 1
        self._best = max(self._best, auc or 0.0)
        if not self._trained and not self._bar.disable:  # an earlier run's, which took no time now
            self._bar.initial = self._done
        self._trained = False
        self._show(self._done)

    def _show(self, position: float) -> None:
        trial = min(self._done + 1, self._trials)
        best = f"{self._best:.4f}" if self._best else "-"
        self._bar.set_postfix({"trial": trial, "best AUC": best}, refresh=False)
        self._bar.update(position - self._bar.n)
