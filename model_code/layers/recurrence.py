"""The recurrence of a GRU whose update gate attention may turn down."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from model_code.kernels.library import LANES, call, ready, require_fit

_sigmoid_backward = torch.ops.aten.sigmoid_backward
_tanh_backward = torch.ops.aten.tanh_backward


def recur(
    shares: Tensor, weight: Tensor, slope: Tensor, mask: Tensor, *, offset: float = 0.0, last: int
) -> Tensor:
    r"""Run C recurrences over each history, from states of zeros.

    $r = \sigma(x_r + U_r h)$, $u = \sigma(x_u + U_u h)$, $c = \tanh(x_c + r \circ U_c h)$,
    $h' = h + g \circ (c - h)$ with the rate $g = \mathrm{offset} + \mathrm{slope} \cdot u$.

    Padding leaves the states as they are, so that those of the last slot follow the last valid event.

    Args:
        shares: $[x_r \| x_u \| x_c]$ of each event, bias included, (B, L, 3 d); histories are left-aligned.
        weight: U_r, U_u and U_c, one below the other, (3 d, d).
        slope: (B, C, L).
        mask: (B, L) bool.
        offset: the same for all events.
        last: S, of how many slots at the end the states are wanted.

    Returns:
        The states after each of the last S slots (B, C, S, d).

    Raises:
        ValueError: the shapes do not fit each other.
    """
    width, first = weight.shape[1], shares.shape[1] - last
    fit = shares.shape == (*mask.shape, 3 * width) and slope.shape[::2] == mask.shape
    require_fit(fit and weight.shape[0] == 3 * width, shares, weight, slope, mask)  # kernels check nothing
    if width % LANES == 0 and ready(shares, weight, slope):
        kept = torch.is_grad_enabled()
        states: Tensor = _Fused.apply(shares, weight, slope, mask.sum(1), offset, first, kept)
    else:
        valid = mask[:, None].to(shares.dtype)
        states = _Stepwise.apply(shares, weight, slope * valid, offset * valid, first)
    return states


class _Stepwise(torch.autograd.Function):
    """Step by step, for all groups at once, with a backward pass of its own.

    A step is a handful of small operators, one after another: calling them is what takes the time. Here they
    are seven forwards and three backwards, half of what the formula has under autograd or less; what does not
    hang on the step before is done for all steps together.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        shares: Tensor,  # (B, L, 3 d)
        weight: Tensor,  # (3 d, d)
        slope: Tensor,  # (B, C, L), 0 at padding
        offset: Tensor,  # (B, 1, L), 0 at padding
        first: int,  # slot of the first state to return
    ) -> Tensor:
        (groups, count, slots), width = slope.shape, weight.shape[1]
        spread = shares.transpose(0, 1)[:, :, None].expand(-1, -1, count, -1)
        gates, candidates = (x.contiguous() for x in spread.split([2 * width, width], -1))  # (L, B, C, ...)
        slope, offset = (x.permute(2, 0, 1)[..., None].contiguous() for x in (slope, offset))
        inner, states = torch.empty_like(candidates), candidates.new_empty(slots + 1, groups, count, width)
        states[0].zero_()
        of_gates, of_candidate = weight.t().split([2 * width, width], 1)
        for t in range(slots):
            before = states[t].view(-1, width)
            gates[t].view(-1, 2 * width).addmm_(before, of_gates).sigmoid_()
            torch.mm(before, of_candidate, out=inner[t].view(-1, width))
            reset, update = gates[t].chunk(2, -1)
            candidates[t].addcmul_(reset, inner[t]).tanh_()
            torch.lerp(
                states[t], candidates[t], torch.addcmul(offset[t], slope[t], update), out=states[t + 1]
            )
        ctx.first = first
        ctx.save_for_backward(weight, slope, offset, gates, inner, candidates, states)
        result: Tensor = states[first + 1 :].permute(1, 2, 0, 3)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        weight, slope, offset, gates, inner, candidates, states = ctx.saved_tensors
        width = weight.shape[1]
        reset, update = gates.chunk(2, -1)
        rate, change = torch.addcmul(offset, slope, update), candidates - states[:-1]
        of_candidate = _tanh_backward(rate, candidates)
        of_reset = _sigmoid_backward(of_candidate * inner, reset)
        of_update = _sigmoid_backward(slope * change, update)
        # What a state's gradient is multiplied with to give those of U h before it, then these.
        products = torch.stack([of_reset, of_update, of_candidate * reset], -2)  # (L, B, C, 3, d)
        upper, kept = torch.zeros_like(candidates), 1 - rate
        upper[ctx.first :] = gradient.permute(2, 0, 1, 3)
        for t in range(len(upper) - 1, -1, -1):
            product = products[t].mul_(upper[t, ..., None, :])
            if t > 0:
                below = upper[t - 1].addcmul_(upper[t], kept[t])
                below.view(-1, width).addmm_(product.view(-1, 3 * width), weight)
        of_gates = products[..., :2, :].sum(2).flatten(-2)
        of_shares = torch.cat([of_gates, of_candidate.mul_(upper).sum(2)], -1).transpose(0, 1)
        of_weight = products.view(-1, 3 * width).t() @ states[:-1].view(-1, width)
        of_slope = change.mul_(upper).mul_(update).sum(-1).permute(1, 2, 0)
        return of_shares, of_weight, of_slope, None, None


class _Fused(torch.autograd.Function):
    """Group by group, without padding; see ``kernels/recurrence.c``. States are (B, L + 1, C, d) there."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        shares: Tensor,
        weight: Tensor,
        slope: Tensor,
        lengths: Tensor,  # (B,) int64
        offset: float,
        first: int,
        kept: bool,  # whether a backward pass will want the gates
    ) -> Tensor:
        (groups, count, slots), width, threads = slope.shape, weight.shape[1], torch.get_num_threads()
        inputs = [values.contiguous() for values in (lengths, shares, weight, slope)]
        ctx.sizes = (threads, groups, slots, first, count, width, offset)
        states = shares.new_empty(groups, slots + 1, count, width)
        gates = shares.new_empty(groups * slots if kept else threads, count, 4 * width)
        call("recurrence", *ctx.sizes, *inputs, kept, gates, states)
        ctx.save_for_backward(*inputs, gates, states)
        result: Tensor = states[:, first + 1 :].transpose(1, 2)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        _, shares, weight, slope, _, _ = ctx.saved_tensors
        of_shares, of_slope = torch.zeros_like(shares), torch.zeros_like(slope)
        of_weight = weight.new_zeros(ctx.sizes[0], *weight.shape)
        upper = gradient.transpose(1, 2).contiguous()
        call("recurrence_backward", *ctx.sizes, *ctx.saved_tensors, upper, of_shares, of_weight, of_slope)
        return of_shares, of_weight.sum(0), of_slope, None, None, None, None
