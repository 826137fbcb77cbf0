"""Neighbours within reach of a position: what they hold, and matrices of their weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
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


def band_matrix(band: Tensor) -> Tensor:
    """A matrix (..., L, L) from its diagonals (..., 2 reach + 1, L), zero elsewhere.

    Entry o of row i goes to column ``i + o - reach``; what lies outside the matrix is dropped.
    """
    result: Tensor = _BandMatrix.apply(band)
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


class _BandMatrix(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, band: Tensor) -> Tensor:  # type: ignore[override]
        ctx.width = band.shape[-2]
        matrix = band.new_zeros(*band.shape[:-2], band.shape[-1], band.shape[-1])
        for diagonal, entries in _diagonals(matrix, band):
            diagonal.copy_(entries)
        return matrix

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        band = gradient.new_zeros(*gradient.shape[:-2], ctx.width, gradient.shape[-1])
        for diagonal, entries in _diagonals(gradient, band):
            entries.copy_(diagonal)
        return band


def _diagonals(matrix: Tensor, band: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The diagonals around the main one, and where the band has their entries."""
    length, reach = matrix.shape[-1], band.shape[-2] // 2
    furthest = min(reach, length - 1)
    for offset in range(-furthest, furthest + 1):
        rows = slice(max(0, -offset), length - max(0, offset))
        yield matrix.diagonal(offset, -2, -1), band[..., offset + reach, rows]
