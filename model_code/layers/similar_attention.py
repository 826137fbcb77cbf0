"""Attention over the similar positions of a history (Eq. 6-8 for the similarity relation)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from model_code.layers.packing import Packing

_leaky_relu_backward = torch.ops.aten.leaky_relu_backward.grad_input
_softmax_backward = torch.ops.aten._softmax_backward_data


def similar_attention(
    packing: Packing, z: Tensor, centre: Tensor, neighbour: Tensor, barrier: Tensor, slope: float
) -> Tensor:
    r"""For each node $\sum_j \mathrm{softmax}_j(\mathrm{LeakyReLU}(c_i + n_j) + b_{ij}) z_j$.

    Args:
        packing: of the histories.
        z: (..., B, heads, L, width).
        centre: c (..., B, heads, L).
        neighbour: n (..., B, heads, L).
        barrier: b (..., B, L, L): 0 on an edge, the lowest number elsewhere. It may have a leading axis, the
            views, that the others lack.
        slope: of the LeakyReLU.

    Returns:
        (..., B, heads, L, width); what nodes without an edge receive means nothing, but is finite.
    """
    views = barrier.shape[:-3]
    shared = (
        value.expand(*views, *value.shape[-4:]) for value in (z, centre[..., None], neighbour[..., None])
    )
    inputs = [value.reshape(-1, *value.shape[-4:]) for value in shared]
    result: Tensor = _Attention.apply(packing, *inputs, barrier.view(-1, *barrier.shape[-3:]), slope)
    return result.view(*views, *result.shape[1:])


class _Attention(torch.autograd.Function):
    """Some groups of similar length at a time, so that a cache holds the (L, L) weights.

    These are formed again in the backward pass, which costs less than to keep them, and only up to the
    longest history of the groups: most pairs of slots are padding.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        packing: Packing,
        z: Tensor,  # (views, B, heads, L, width)
        centre: Tensor,  # (views, B, heads, L, 1)
        neighbour: Tensor,  # (views, B, heads, L, 1)
        barrier: Tensor,  # (views, B, L, L)
        slope: float,
    ) -> Tensor:
        ctx.packing, ctx.slope = packing, slope
        ctx.save_for_backward(z, centre, neighbour, barrier)
        result = torch.zeros_like(z, memory_format=torch.contiguous_format)
        for groups, length in packing.by_length(z[:, 0, :, :, 0].numel() * z.shape[3]):
            part = packing.take(z, groups)[..., :length, :]
            alpha = _scores(packing, centre, neighbour, barrier, slope, groups, length).softmax(-1)
            packing.put(result[..., :length, :], groups, alpha @ part)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        packing: Packing = ctx.packing
        z, centre, neighbour, barrier = ctx.saved_tensors
        of_z, of_centre, of_neighbour = (
            torch.zeros_like(value, memory_format=torch.contiguous_format) for value in (z, centre, neighbour)
        )
        for groups, length in packing.by_length(z[:, 0, :, :, 0].numel() * z.shape[3]):
            part, upper = (packing.take(value, groups)[..., :length, :] for value in (z, gradient))
            scores = _scores(packing, centre, neighbour, barrier, ctx.slope, groups, length)
            alpha = scores.softmax(-1)
            packing.put(of_z[..., :length, :], groups, alpha.mT @ upper)
            pairs = _softmax_backward(upper @ part.mT, alpha, -1, alpha.dtype)
            # Where a barrier stands the score's sign is the barrier's, but there the gradient is zero.
            _leaky_relu_backward(pairs, scores, ctx.slope, True, grad_input=pairs)
            packing.put(of_centre[..., :length, :], groups, pairs.sum(-1, keepdim=True))
            packing.put(of_neighbour[..., :length, :], groups, pairs.sum(-2).unsqueeze(-1))
        return None, of_z, of_centre, of_neighbour, None, None


def _scores(
    packing: Packing,
    centre: Tensor,
    neighbour: Tensor,
    barrier: Tensor,
    slope: float,
    groups: Tensor | None,
    length: int,
) -> Tensor:
    """Barred scores of some groups: (views, groups, heads, length, length)."""
    own, other = (packing.take(value, groups)[..., :length, :] for value in (centre, neighbour))
    barred = packing.take(barrier, groups)[..., :length, :length]
    return F.leaky_relu_(own + other.mT, slope).add_(barred.unsqueeze(2))
