"""The data-adaptive activation of DIN."""

from __future__ import annotations

import torch
from torch import Tensor, nn

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
        gate = self.norm(inputs).sigmoid()
        return inputs * torch.lerp(self.alpha, torch.ones_like(self.alpha), gate)
