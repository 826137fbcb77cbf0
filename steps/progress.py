"""The progress bar of training."""

from __future__ import annotations

import sys

from tqdm import tqdm

from model_code.training.loop import Progress

FORMAT = "{desc} {percentage:3.0f}% |{bar:24}| {elapsed}, {remaining} left{postfix}"


class ProgressBar:
    """One bar a pass: loss, samples a second, best validation AUC so far, time left.

    Shown only in a terminal; a log file gets one line a pass from the training step.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._bar: tqdm | None = None
        self._epoch = -1

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, progress: Progress) -> None:
        """Show where training stands."""
        if self._bar is None or progress.epoch != self._epoch:
            self._bar = self._start(progress)
        rate = progress.samples / max(progress.seconds, 1e-9)
        best = "-" if progress.best_auc is None else f"{progress.best_auc:.4f}"
        shown = {"loss": f"{progress.loss:.4f}", "samples/s": f"{rate:,.0f}", "best AUC": best}
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update(progress.batch - self._bar.n)

    def _start(self, progress: Progress) -> tqdm:
        self.__exit__()
        self._epoch = progress.epoch
        bar: tqdm = tqdm(
            total=progress.batches,
            desc=f"{self._label}: epoch {progress.epoch + 1} of up to {progress.epochs}",
            initial=progress.first_batch,
            bar_format=FORMAT,
            mininterval=0,  # the training loop sets the pace
            file=sys.__stderr__,  # past the orchestrator, which would keep every redraw in the step's log
            disable=None,  # unless it is a terminal
        )
        if not bar.disable:
            bar.start_t -= progress.seconds
        return bar
