"""Random numbers as a pure function of counters, equal on every device and in any order of evaluation."""

from __future__ import annotations

import math
from enum import IntEnum

import torch
from torch import Tensor

_GAMMA = 0x9E3779B97F4A7C15 - 2**64  # 2**64 over the golden ratio, odd; as a signed number, like the next two
_MIX_1 = 0xBF58476D1CE4E5B9 - 2**64
_MIX_2 = 0x94D049BB133111EB - 2**64
_POSITIVE = 2**63 - 1
_ROUNDS = 6  # of a permutation; after four, places one side of the square apart still go together


class Stream(IntEnum):
    """The first counter of every draw: keeps draws made for different purposes independent."""

    NEGATIVE = 0
    UNKNOWN_ITEM = 1
    UNKNOWN_CATEGORY = 2
    UNKNOWN_USER = 3
    PERMUTATION = 4
    SUBSET = 5
    EXPORT = 6


def counter_hash(*counters: int | Tensor) -> Tensor:
    """Hash counters, broadcast against each other, to int64 values uniform over all 64 bits.

    Each counter advances the state of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) that the counters
    before it have set, so the last one walks along the generator's own sequence.
    """
    state = torch.zeros((), dtype=torch.int64)
    for counter in counters:
        state = _advance(state, torch.as_tensor(counter, dtype=torch.int64))
    return state


def pairwise_hash(code: Tensor, *counters: int | Tensor) -> Tensor:
    """Hash codes under 2**32 by a function that the counters choose; cheaper than one more counter.

    Multiply-add-shift (Dietzfelbinger, STACS 1996): over the choice of the function, the highest 32 bits
    are uniform, and independent for any two codes, though not for three.
    """
    factor = counter_hash(*counters)
    return torch.addcmul(_mix(factor), factor, code)


def below(hashed: Tensor, size: int | Tensor) -> Tensor:
    """Map hashes to integers uniform over [0, size); the bias is under size / 2**63."""
    return (hashed & _POSITIVE) % size


def happens(hashed: Tensor, rate: float) -> Tensor:
    """Map hashes to bools that are true with probability ``rate``; it is their highest bits that decide."""
    return hashed < min(int(rate * 2**64) - 2**63, _POSITIVE)


def permuted(place: Tensor, size: int, *counters: int) -> Tensor:
    """Send places (B,) in [0, size) to places of their own: a pseudo-random permutation, chosen by counters.

    A Feistel network (its halves added, not XORed) permutes the least square that holds ``size``; what it
    sends outside of ``size`` it sends on, until it comes to lie inside. Nothing is stored, and a part of the
    permutation costs no more than its length.
    """
    side = math.isqrt(size - 1) + 1
    states = counter_hash(*counters, torch.arange(_ROUNDS))
    place, outside = place.clone(), torch.arange(len(place))
    while len(outside):
        left, right = place[outside] // side, place[outside] % side
        for state in states:
            left, right = right, (left + below(_advance(state, right), side)) % side
        place[outside] = left * side + right
        outside = (place >= size).nonzero().squeeze(1)
    return place


def _advance(state: Tensor, counter: Tensor) -> Tensor:
    return _mix(state + (counter + 1) * _GAMMA)  # int64 products wrap around, as SplitMix64 wants


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shift_right(x, 30)) * _MIX_1
    x = (x ^ _shift_right(x, 27)) * _MIX_2
    return x ^ _shift_right(x, 31)


def _shift_right(x: Tensor, bits: int) -> Tensor:
    return (x >> bits) & ((1 << (64 - bits)) - 1)  # the mask undoes the sign extension of int64
