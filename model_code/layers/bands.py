"""Neighbours within reach of a position: what they hold, and weighted sums of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

ALL = slice(None)


def windows(values: Tensor, reach: int) -> Tensor:
    """What stands before and after each position: (..., 2, L) -> (..., 2, reach, L).

    Args:
        values: [0] is read before a position, [1] after it.
        reach: how far.

    Returns:
        At position i: [0, o] is ``values[0, i - reach + o]`` and [1, o] is ``values[1, i + 1 + o]``, or 0
        beyond the ends.
    """
    result: Tensor = _Windows.apply(values, reach)
    return result


def band_sum(weights: Tensor, values: Tensor) -> Tensor:
    """At position i the sum over o of ``weights[o, i] * values[i + o - reach]``.

    Args:
        weights: (..., 2 reach + 1, L).
        values: (..., L, width); leading axes broadcast against those of ``weights``.

    Returns:
        (..., L, width).
    """
    result: Tensor = _BandSum.apply(weights, values.expand(*weights.shape[:-2], *values.shape[-2:]))
    return result


class _Windows(torch.autograd.Function):
    """A backward pass of its own: that of slices would fill a tensor for each."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, reach: int) -> Tensor:  # type: ignore[override]
        ctx.reach = reach
        result = values.new_zeros(*values.shape[:-1], reach, values.shape[-1])
        for side, o, here, there in _neighbours(reach, values.shape[-1]):
            result[..., side, o, here] = values[..., side, there]
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        of_values = gradient.new_zeros(*gradient.shape[:-2], gradient.shape[-1])
        for side, o, here, there in _neighbours(ctx.reach, gradient.shape[-1]):
            of_values[..., side, there] += gradient[..., side, o, here]
        return of_values, None


def _neighbours(reach: int, length: int) -> Iterator[tuple[int, int, slice, slice]]:
    """Side, entry, the positions that have such a neighbour, and the neighbours."""
    for distance in range(1, min(reach, length - 1) + 1):
        early, late = slice(0, length - distance), slice(distance, length)
        yield 0, reach - distance, late, early
        yield 1, distance - 1, early, late


class _BandSum(torch.autograd.Function):
    """A backward pass of its own, as `_Windows`."""

    @staticmethod
    def forward(ctx: Any, weights: Tensor, values: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(weights, values)
        result = torch.zeros_like(values, memory_format=torch.contiguous_format)
        for o, here, there in _band(weights):
            result[..., here, :].addcmul_(weights[..., o, here, None], values[..., there, :])
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        weights, values = ctx.saved_tensors
        of_weights = torch.zeros_like(weights)
        of_values = torch.zeros_like(values, memory_format=torch.contiguous_format)
        for o, here, there in _band(weights):
            upper = gradient[..., here, :]
            of_weights[..., o, here] = (upper * values[..., there, :]).sum(-1)
            of_values[..., there, :].addcmul_(weights[..., o, here, None], upper)
        return of_weights, of_values


def _band(weights: Tensor) -> Iterator[tuple[int, slice, slice]]:
    """Entries of a band, the positions where each lies within the ends, and the neighbours that they have there."""
    reach, length = weights.shape[-2] // 2, weights.shape[-1]
    yield reach, ALL, ALL
    for side, entry, here, there in _neighbours(reach, length):
        yield entry + side * (reach + 1), here, there
