"""The network that turns a model's vectors into a logit."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from model_code.layers.dice import Dice
from model_code.layers.initialisation import linear


class PredictionHead(nn.Module):
    """A network ``width -> hidden -> 1`` with Dice between its layers.

    Shapes:
        inputs: (..., width).
        returns: logits (...).
    """

    def __init__(self, width: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        layers = [layer for a, b in pairwise((width, *hidden)) for layer in (linear(a, b), Dice(b))]
        self.layers = nn.Sequential(*layers, linear(hidden[-1], 1))

    def forward(self, inputs: Tensor) -> Tensor:
        """Score the rows (..., width) -> (...)."""
        logits: Tensor = self.layers(inputs.flatten(0, -2))
        return logits.view(inputs.shape[:-1])
