"""Two columns in one integer, so that samples are sorted by both at once.

Samples come by the hundred million: integers are sorted in place, ten times as fast as an array of indices.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def pack(major: NDArray[Any], minor: NDArray[Any]) -> NDArray[np.uint64]:
    """(n,) keys that compare by ``major``, then by ``minor``; both (n,) whole numbers in [0, 2^32)."""
    key = major.astype(np.uint64)
    key <<= np.uint64(32)
    key |= minor.astype(np.uint32)
    return key


def majors(key: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """The first column of packed keys."""
    return (key >> np.uint64(32)).astype(np.uint32)


def minors(key: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """The second column of packed keys."""
    return key.astype(np.uint32)


def ranks(values: NDArray[Any]) -> NDArray[np.uint32]:
    """(n,) whole numbers that compare as ``values`` do: the bits of float32, the ranks of any other type."""
    if values.dtype != np.float32:
        return np.unique(values, return_inverse=True)[1].astype(np.uint32)
    bits = (values + np.float32(0)).view(np.uint32)  # the sum turns -0.0 into 0.0, which it equals
    sign, all_bits = np.uint32(1 << 31), np.uint32((1 << 32) - 1)
    result: NDArray[np.uint32] = bits ^ np.where(bits & sign, all_bits, sign)  # negatives grow as bits fall
    return result
