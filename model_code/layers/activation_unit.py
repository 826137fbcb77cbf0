"""DIN's attention of a candidate on a history."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from model_code.layers.initialisation import linear
from model_code.layers.masked import masked_softmax


class ActivationUnit(nn.Module):
    r"""Weight of each history event for a candidate (Zhou et al. 2018, Eq. 3).

    $a_i = f([q \| k_i \| q - k_i \| q \circ k_i])$, a network ``4d -> hidden -> 1`` with sigmoids between its
    layers; q is the candidate, $k_i$ the event. Padding has weight 0.

    With ``softmax`` the weights are normalised over the events, as in all of the authors' code; without, they
    are the scores themselves, as the paper says. The softmax makes the last bias idle, so it has none then.

    $W [q \| k \| q - k \| q \circ k] = (W_1 + W_3) q + (W_2 - W_3) k + W_4 (q \circ k)$, so that of the 4d
    inputs only the d of the product are formed for each pair.

    Shapes:
        queries: (B, C, d).
        keys: (B, L, d).
        mask: (B, L) bool.
        returns: weights (B, C, L).
    """

    def __init__(self, width: int, hidden: tuple[int, ...], *, softmax: bool) -> None:
        super().__init__()
        self.softmax = softmax
        self.first = linear(4 * width, hidden[0])
        self.others = nn.ModuleList(linear(a, b) for a, b in pairwise(hidden))
        self.score = linear(hidden[-1], 1, bias=not softmax)

    def forward(self, queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """Weigh the events for each candidate: (B, C, L)."""
        of_query, of_key, of_difference, of_product = self.first.weight.chunk(4, 1)
        query = F.linear(queries, of_query + of_difference, self.first.bias)[:, :, None]  # (B, C, 1, hidden)
        key = F.linear(keys, of_key - of_difference)[:, None]  # (B, 1, L, hidden)
        products = queries[:, :, None] * keys[:, None]  # (B, C, L, d)
        vectors = F.linear(products, of_product).add_(query).add_(key).sigmoid_()
        for layer in self.others:
            vectors = layer(vectors).sigmoid_()
        scores = self.score(vectors).squeeze(-1)
        mask = mask[:, None]
        return masked_softmax(scores, mask) if self.softmax else scores * mask
