"""The data-adaptive activation of DIN."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from model_code.kernels import library
from model_code.layers.batch_norm import BatchNorm


class Dice(nn.Module):
    r"""Dice (Zhou et al. 2018, Eq. 4): $y = p x + (1 - p) \alpha x$ with $p = \sigma(BN(x))$.

    The normalisation is over the batch, with running statistics in evaluation, and has no scale and shift of
    its own; $\alpha$ is learned for each unit and starts at 0, as in the authors' code.

    Shapes:
        inputs: (N, width).
        returns: (N, width).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = BatchNorm(width)
        self.alpha = nn.Parameter(torch.zeros(width))

    def forward(self, inputs: Tensor) -> Tensor:
        """Activate (N, width)."""
        if self.norm.alone(inputs) and library.ready(inputs, self.alpha):
            result: Tensor = _Dice.apply(inputs, self.alpha, self.norm)
            return result
        gate = self.norm(inputs).sigmoid()
        return inputs * torch.lerp(self.alpha, torch.ones_like(self.alpha), gate)


class _Dice(torch.autograd.Function):
    """Dice in training by the kernel, which moves the running statistics as `BatchNorm` does."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, alpha: Tensor, norm: BatchNorm) -> Tensor:  # type: ignore[override]
        library.require_fit(inputs.shape[1:] == alpha.shape, inputs, alpha)
        inputs = inputs.contiguous()
        gate, result = torch.empty_like(inputs), torch.empty_like(inputs)
        statistics = inputs.new_empty(2, inputs.shape[1])
        mean, variance, momentum = norm.running()
        sizes = (*inputs.shape, norm.eps, momentum)
        tensors = (inputs, alpha, mean, variance, statistics, gate, result)
        library.call("dice_forward", *sizes, *tensors, _threads(inputs))
        ctx.save_for_backward(inputs, alpha, statistics, gate)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, alpha, statistics, gate = ctx.saved_tensors
        of_inputs, of_alpha = torch.empty_like(inputs), torch.empty_like(alpha)
        library.call(
            "dice_backward",
            *(*inputs.shape, inputs, alpha, statistics, gate, gradient.contiguous(), of_inputs, of_alpha),
            _threads(inputs),
        )
        return of_inputs, of_alpha, None


def _threads(inputs: Tensor) -> int:
    """As many as there are numbers for: to wake a thread takes as long as some 10,000 of them."""
    return max(1, min(torch.get_num_threads(), inputs.numel() // 100_000))
