"""How the C library keeps memory that tensors have freed."""

from __future__ import annotations

import ctypes

# Of mallopt(3), from malloc.h.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3


def keep_freed_memory() -> None:
    """Let the heap keep what tensors free, for the tensors of the next step.

    By default glibc hands large blocks back to the system at once: each step then pays for the same pages
    again, dearly so in a virtual machine or beside a busy neighbour. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(
        M_MMAP_THRESHOLD, 32 << 20
    )  # the most that glibc takes: from there on blocks come from the system
    mallopt(M_TRIM_THRESHOLD, 1 << 30)
    mallopt(M_TOP_PAD, 64 << 20)
