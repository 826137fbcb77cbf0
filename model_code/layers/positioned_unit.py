"""DIN's activation unit with a query that knows the position of the event."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from model_code.layers.activation_unit import ActivationUnit
from model_code.layers.initialisation import linear
from model_code.layers.packing import Packing


class PositionedUnit(nn.Module):
    r"""The history as a candidate sees it (Xiao et al. 2020): $\sum_i a_i k_i$.

    `ActivationUnit` with the query $q_i = W [q \| p_i] + b$ at event i, where $p_i$ is the vector of its
    position. As $q_i = W_q q + (W_p p_i + b)$, a share of the candidate and one of the position, no more work
    is done for each pair of event and candidate than without positions.

    Shapes:
        queries: (B, C, d).
        keys: (P, d), packed.
        places: p (P, places), packed.
        returns: (B, C, d).
    """

    def __init__(self, width: int, places: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.width = width
        self.alignment = linear(width + places, width)
        self.unit = ActivationUnit(width, hidden, softmax=True)

    def forward(self, queries: Tensor, keys: Tensor, places: Tensor, packing: Packing) -> Tensor:
        """Sum the events of each history as each candidate weighs them: (B, C, d)."""
        of_query, of_place = self.alignment.weight.tensor_split([self.width], 1)
        shifts = F.linear(places, of_place, self.alignment.bias)
        offsets = self.unit.offsets(shifts, keys)
        interest: Tensor = self.unit(F.linear(queries, of_query), packing.unpack(keys), packing.mask, offsets)
        return interest
