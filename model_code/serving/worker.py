"""Computations one after the other, away from the event loop, with a bounded queue."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import torch

T = TypeVar("T")


class OverloadedError(Exception):
    """As many computations wait as may."""


class Worker:
    """One thread that computes. More would share the same cores, and make each other wait in the middle."""

    def __init__(self, threads: int, max_waiting: int) -> None:
        """Start with an empty queue.

        Args:
            threads: that torch may use for one computation.
            max_waiting: most computations that wait for the one in progress.
        """
        self._executor = ThreadPoolExecutor(
            1, thread_name_prefix="rank", initializer=torch.set_num_threads, initargs=(threads,)
        )
        self._most = 1 + max_waiting
        self._lock = threading.Lock()
        self.unfinished = 0  # computations that wait or are in progress

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Compute ``function(*arguments)`` when it is its turn.

        Raises:
            OverloadedError: at once, when the queue is full.
        """
        with self._lock:
            if self.unfinished >= self._most:
                raise OverloadedError
            self.unfinished += 1
        future = self._executor.submit(function, *arguments)
        # Not when this coroutine ends: who has gone away leaves a computation that goes on.
        future.add_done_callback(self._finished)
        return await asyncio.wrap_future(future)

    def warm_up(self, function: Callable[..., T], *arguments: Any) -> T:
        """Compute before there is an event loop."""
        future: Future[T] = self._executor.submit(function, *arguments)
        return future.result()

    def close(self) -> None:
        """Finish what waits, then end the thread."""
        self._executor.shutdown()

    def _finished(self, _: Future[Any]) -> None:
        with self._lock:
            self.unfinished -= 1
