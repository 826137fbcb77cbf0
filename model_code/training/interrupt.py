"""Ctrl-C that waits for the step under way, so that what is saved is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """True once the user has asked to stop."""

    def __init__(self) -> None:
        self._asked = False

    def __bool__(self) -> bool:
        return self._asked

    def ask(self, _signal: int, _frame: FrameType | None) -> None:
        """Note the wish; a second one stops at once."""
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True


@contextmanager
def deferred_interrupts() -> Iterator[Interrupts]:
    """Turn SIGINT and SIGTERM into a flag while the body runs (in the main thread; elsewhere do nothing)."""
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, interrupts.ask) for number in signals}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)  # None: set from outside Python
