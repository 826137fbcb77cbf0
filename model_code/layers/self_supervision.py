"""Agreement of two views of the interests (Eq. 18)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from model_code.kernels import library


def self_supervision_loss(first: Tensor, second: Tensor) -> Tensor:
    r"""Symmetric Kullback-Leibler divergence between two views of the interests.

    $$L = \frac{1}{N} \sum_{n=1}^{N} \sum_{k=1}^{K}
      \tfrac{1}{2} KL(P'_{nk} \| P''_{nk}) + \tfrac{1}{2} KL(P''_{nk} \| P'_{nk}),
      \qquad P_{nk} = \mathrm{softmax}(V_{nk}) \tag{18}$$

    The softmax runs over the d dimensions of an interest. The paper calls this the Jensen-Shannon divergence,
    which Eq. 18 is not, and sums over the samples; the mean keeps beta independent of the batch size.

    Args:
        first: V' (..., K, d); the leading axes are the N samples.
        second: V'' of the same shape.

    Returns:
        The loss, a scalar.
    """
    if library.ready(first, second):
        library.require_fit(first.shape == second.shape, first, second)
        loss: Tensor = _Divergence.apply(first, second)
        return loss
    log_p, log_q = first.log_softmax(-1), second.log_softmax(-1)
    # KL(P||Q) + KL(Q||P) = sum (P - Q) (log P - log Q)
    divergence = ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum((-2, -1)) / 2
    return divergence.mean()


class _Divergence(torch.autograd.Function):
    """The loss and its gradients in one call."""

    @staticmethod
    def forward(ctx: Any, first: Tensor, second: Tensor) -> Tensor:  # type: ignore[override]
        first, second = first.contiguous(), second.contiguous()
        vectors, width = first.shape[-2:]
        loss, gradients = first.new_empty(()), first.new_empty(2, *first.shape)
        sizes = (first.shape[:-2].numel(), vectors, width)
        library.call(
            "self_supervision", *sizes, first, second, loss, *gradients.unbind(), torch.get_num_threads()
        )
        ctx.save_for_backward(gradients)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        (gradients,) = ctx.saved_tensors
        of_first, of_second = (gradients * gradient).unbind()
        return of_first, of_second
