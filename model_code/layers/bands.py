"""Neighbours within reach of a position: what they hold, and weighted sums of it."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


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
    """One view of padded values; the backward pass adds up its overlaps, entry by entry."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, reach: int) -> Tensor:  # type: ignore[override]
        ctx.reach = reach
        padded = F.pad(values, (reach, reach))
        size, stride = values.shape[-1], padded.stride()
        # Side 0 starts at position i - reach, side 1 at i + 1: reach + 1 further on.
        shape, strides = (*values.shape[:-1], reach, size), (*stride[:-2], stride[-2] + reach + 1, 1, 1)
        return padded.as_strided(shape, strides)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        reach, size = ctx.reach, gradient.shape[-1]
        padded = gradient.new_zeros(*gradient.shape[:-2], size + 2 * reach)
        stride = padded.stride()
        for o, entry in enumerate(gradient.unbind(-2)):
            padded.as_strided(entry.shape, (*stride[:-2], stride[-2] + reach + 1, 1), o).add_(entry)
        return padded[..., reach : reach + size], None


class _BandSum(torch.autograd.Function):
    """A product with a matrix that holds the band around its diagonal, for whom padding saves the ends."""

    @staticmethod
    def forward(ctx: Any, weights: Tensor, values: Tensor) -> Tensor:  # type: ignore[override]
        entries, size = weights.shape[-2:]
        # Rows of size + entries, read as rows of one less: each starts one further to the right.
        matrix = F.pad(weights.mT, (0, size)).flatten(-2)[..., :-size].unflatten(-1, (size, -1))
        padded = F.pad(values, (0, 0, entries // 2, entries // 2))
        ctx.save_for_backward(matrix, padded)
        result: Tensor = matrix @ padded
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        matrix, padded = ctx.saved_tensors
        size, entries = matrix.shape[-2], matrix.shape[-1] - matrix.shape[-2] + 1
        of_weights = _band(gradient @ padded.mT, entries).mT
        return of_weights, (matrix.mT @ gradient)[..., entries // 2 : entries // 2 + size, :]


def _band(matrix: Tensor, entries: int) -> Tensor:
    """View (..., L, entries) of what a matrix (..., L, L + entries - 1) holds at ``[i, i + o]``."""
    *outer, row, _ = matrix.stride()
    return matrix.as_strided((*matrix.shape[:-1], entries), (*outer, row + 1, 1))
