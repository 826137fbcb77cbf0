"""Popularity: the reference that any model must beat."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_code.groups import Group, LogShape, Output
from model_code.settings import settings


@settings
class PopularitySettings:
    """Popularity has no settings."""


class Popularity(nn.Module):
    r"""Ranks by the number of clicks in the fit part, and learns how much a click rate follows from it.

    logit $= b + \mathrm{softplus}(a)\, x_{item}$, with x the standardised $\log(1 + \mathrm{count})$. The
    slope is positive, so the ranking is that of the counts whatever is learned; a and b calibrate it.
    Unknown items rank last.

    Shapes:
        group: only the candidates (B, C) are read.
        returns: logits (B, C); no extra loss.
    """

    popularity: Tensor

    def __init__(self, settings: PopularitySettings, shape: LogShape) -> None:
        super().__init__()
        self.loss_weights: dict[str, float] = {}
        self.register_buffer("popularity", _standardised(shape.item_count))
        self.slope = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, group: Group) -> Output:
        """Score the candidates of each group."""
        return Output(self.bias + F.softplus(self.slope) * self.popularity[group.candidate_item], {})


def _standardised(count: Tensor) -> Tensor:
    """log(1 + count) with mean 0 and deviation 1 over the events, as candidates are drawn from events."""
    count = count.double()
    value = count.log1p()
    weight = count / count.sum().clamp(min=1)
    mean = (weight * value).sum()
    deviation = (weight * (value - mean) ** 2).sum().sqrt()
    return ((value - mean) / deviation.clamp(min=1e-6)).to(torch.get_default_dtype())
