"""Random numbers as a pure function of counters, equal on every device and in any order of evaluation."""

from __future__ import annotations

from enum import IntEnum

import torch
from torch import Tensor

_GAMMA = 0x9E3779B97F4A7C15 - 2**64  # 2**64 over the golden ratio, odd; as a signed number, like the next two
_MIX_1 = 0xBF58476D1CE4E5B9 - 2**64
_MIX_2 = 0x94D049BB133111EB - 2**64
_POSITIVE = 2**63 - 1


class Stream(IntEnum):
    """The first counter of every draw: keeps draws made for different purposes independent."""

    NEGATIVE = 0
    UNKNOWN_ITEM = 1
    UNKNOWN_CATEGORY = 2
    UNKNOWN_USER = 3
    PERMUTATION = 4
    SUBSET = 5


def counter_hash(*counters: int | Tensor) -> Tensor:
    """Hash counters, broadcast against each other, to int64 values uniform over all 64 bits.

    Each counter advances the state of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) that the counters
    before it have set, so the last one walks along the generator's own sequence.
    """
    state = torch.zeros((), dtype=torch.int64)
    for counter in counters:
        step = torch.as_tensor(counter, dtype=torch.int64)
        state = _mix(state + (step + 1) * _GAMMA)  # int64 products wrap around, as SplitMix64 wants
    return state


def below(hashed: Tensor, size: int | Tensor) -> Tensor:
    """Map hashes to integers uniform over [0, size); the bias is under size / 2**63."""
    return (hashed & _POSITIVE) % size


def happens(hashed: Tensor, rate: float) -> Tensor:
    """Map hashes to bools that are true with probability ``rate``."""
    return (hashed & _POSITIVE) < min(int(rate * 2**63), _POSITIVE)


def generator(*counters: int) -> torch.Generator:
    """Return a CPU generator seeded by the hash of the counters."""
    return torch.Generator().manual_seed(int(counter_hash(*counters)))


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shift_right(x, 30)) * _MIX_1
    x = (x ^ _shift_right(x, 27)) * _MIX_2
    return x ^ _shift_right(x, 31)


def _shift_right(x: Tensor, bits: int) -> Tensor:
    return (x >> bits) & ((1 << (64 - bits)) - 1)  # the mask undoes the sign extension of int64
