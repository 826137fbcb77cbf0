"""The progress bar of batch scoring."""

from __future__ import annotations

import sys

from tqdm import tqdm

from steps.progress import FORMAT


class ScoringBar:
    """One bar over the users, shown only in a terminal."""

    def __init__(self) -> None:
        self._bar: tqdm | None = None

    def __enter__(self) -> ScoringBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, done: int, users: int) -> None:
        """Show how many users are scored."""
        if self._bar is None:
            self._bar = tqdm(
                total=users,
                desc="users scored",
                bar_format=FORMAT,
                file=sys.__stderr__,  # past the orchestrator, which would keep every redraw in the step's log
                disable=None,  # unless it is a terminal
            )
        self._bar.update(done - self._bar.n)
