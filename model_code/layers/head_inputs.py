"""What the head of a ranker reads of a candidate and a history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from model_code.kernels import library
from model_code.layers.masked import masked_mean


def head_inputs(candidates: Tensor, history: Tensor, mask: Tensor, others: Sequence[Tensor]) -> Tensor:
    r"""$[q \| s_u \| q \circ s_u \| \ldots]$ of each candidate q, with $s_u$ the mean of the history.

    Args:
        candidates: (B, C, d).
        history: (B, L, d).
        mask: (B, L) bool, the valid slots, which come first; of none, the mean is 0.
        others: what follows, (B, C, width) each, or (B, 1, width) for all candidates of a group alike.

    Returns:
        (B, C, 3 d + the others' widths).
    """
    if library.ready(candidates, history, *others):
        rows = [other.shape[:2] for other in others]
        groups, count, width = candidates.shape
        fit = history.shape == (groups, mask.shape[1], width) and len(mask) == groups
        fit = fit and all(shape in ((groups, count), (groups, 1)) for shape in rows)
        library.require_fit(fit, candidates, history, mask, *others)
        inputs: Tensor = _HeadInputs.apply(mask.sum(1), candidates, history, *others)
        return inputs
    summary = masked_mean(history, mask)[:, None].expand_as(candidates)
    spread = [other.expand(-1, candidates.shape[1], -1) for other in others]
    return torch.cat([candidates, summary, candidates * summary, *spread], -1)


class _HeadInputs(torch.autograd.Function):
    """`head_inputs` by the kernel."""

    @staticmethod
    def forward(ctx: Any, lengths: Tensor, *vectors: Tensor) -> Tensor:  # type: ignore[override]
        candidates, history, *others = (part.contiguous() for part in vectors)
        groups, count, width = candidates.shape
        rows, widths = ([other.shape[axis] for other in others] for axis in (1, 2))
        summaries = candidates.new_empty(groups, width)
        result = candidates.new_empty(groups, count, 3 * width + sum(other.shape[2] for other in others))
        sizes = groups, count, history.shape[1], width
        job = (*sizes, lengths, candidates, len(others), rows, widths, summaries)
        library.call("head_inputs_forward", *job, history, others, result, torch.get_num_threads())
        ctx.job, ctx.shapes = job, [part.shape for part in (candidates, history, *others)]
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        of_candidates, of_history, *of_others = (gradient.new_empty(shape) for shape in ctx.shapes)
        outputs = of_candidates, of_history, of_others
        threads = torch.get_num_threads()
        library.call("head_inputs_backward", *ctx.job, gradient.contiguous(), *outputs, threads)
        return None, of_candidates, of_history, *of_others
