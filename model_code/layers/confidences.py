"""Ways to weigh the experts, by name, in the place of `ConfiNet`. All are called as it is."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from model_code.layers.confi_net import ConfiNet
from model_code.layers.initialisation import linear

Aggregation = Literal["confi_net", "hard_routing", "mean", "moe"]


class EqualConfidence(nn.Module):
    """The same confidence in each expert, 1 / K: the mean of their scores, and all there is to say of one."""

    def __init__(self, experts: int) -> None:
        super().__init__()
        self.experts = experts

    def forward(self, interests: Tensor, context: Tensor) -> Tensor:
        """Weigh the experts equally: (..., K)."""
        return interests.new_full((*interests.shape[:-2], self.experts), 1 / self.experts)


class HardRouting(ConfiNet):
    """Trains as `ConfiNet`; in evaluation mode the expert of the highest confidence has all of it."""

    def forward(self, interests: Tensor, context: Tensor) -> Tensor:
        """Weigh the experts: (..., K)."""
        omega = super().forward(interests, context)
        if self.training:
            return omega
        return F.one_hot(omega.argmax(-1), omega.shape[-1]).to(omega.dtype)


class Gate(nn.Module):
    r"""A mixture of experts' gate, $\mathrm{softmax}(W [s_u \| f_i])$, which sees no interest."""

    def __init__(self, width: int, experts: int) -> None:
        super().__init__()
        self.weights = linear(2 * width, experts, bias=False)

    def forward(self, interests: Tensor, context: Tensor) -> Tensor:
        """Weigh the experts: (..., K)."""
        omega: Tensor = self.weights(context).softmax(-1)
        return omega


def make_confidence(aggregation: Aggregation, width: int, experts: int, hidden: tuple[int, ...]) -> nn.Module:
    """Make what weighs the experts; one expert needs no weights.

    Args:
        aggregation: which way.
        width: d, of an interest.
        experts: K.
        hidden: widths of Confi-Net's hidden layers.
    """
    if experts == 1 or aggregation == "mean":
        return EqualConfidence(experts)
    if aggregation == "moe":
        return Gate(width, experts)
    net = HardRouting if aggregation == "hard_routing" else ConfiNet
    return net(width, experts, hidden)
