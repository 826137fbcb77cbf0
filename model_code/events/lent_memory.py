"""Memory that is lent, and used again once nobody holds what was made in it.

To ask the system for memory that was not used lately can take longer than to fill it: each page is cleared.
"""

from __future__ import annotations

import weakref

import numpy as np
from numpy.typing import NDArray


class LentMemory:
    """Lends to one thread at a time; what is lent may be let go of in any."""

    def __init__(self) -> None:
        self._idle: list[NDArray[np.uint8]] = []

    def lend(self, size: int) -> NDArray[np.uint8]:
        """Return (size,) bytes of any values, which are used again once no array refers to them."""
        memory = self._idle.pop() if self._idle else np.empty(0, np.uint8)
        if len(memory) < size:
            memory = np.empty(size + size // 8, np.uint8)  # the next may be a little longer
        # By way of `data`: what is cut of this one then refers to it, where it would to `memory` itself.
        lent = np.frombuffer(memory.data, np.uint8, count=size)
        weakref.finalize(lent, self._idle.append, memory)
        return lent
