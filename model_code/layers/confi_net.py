"""How much each expert is trusted (Eq. 14)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from model_code.layers.initialisation import linear, xavier
from model_code.layers.leaky_network import leaky_network


class ConfiNet(nn.Module):
    r"""Confidence in each expert, from its interest and its prototype:

    $$c^k = g([V_k \| s_u \| f_i]), \qquad
      \omega^k = \mathrm{softmax}_k\; c^k \cdot p_k / \sqrt{d} \tag{14}$$

    $g$, one network for all k, is ``3d -> hidden -> d`` with LeakyReLU; $p_k$, the prototype of expert k, has
    width d. The part of the first layer that reads $[s_u \| f_i]$ is computed once for all k.

    Shapes:
        interests: V (..., K, d).
        context: $[s_u \| f_i]$ (..., 2d).
        returns: omega (..., K), which sums to 1 over K.
    """

    def __init__(self, width: int, interests: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.first = linear(3 * width, hidden[0])
        self.others = nn.ModuleList(linear(a, b) for a, b in pairwise((*hidden, width)))
        self.prototypes = xavier(interests, width, inputs=width, outputs=1)

    def forward(self, interests: Tensor, context: Tensor) -> Tensor:
        """Weigh the experts: (..., K)."""
        width = interests.shape[-1]
        others: list[Any] = list(self.others)
        of_interest, of_context = self.first.weight.split([width, 2 * width], 1)
        start = F.linear(context.reshape(1, -1, 2 * width), of_context, self.first.bias)  # (1, N, hidden)
        weights = [weight.mT[None] for weight in (of_interest, *(layer.weight for layer in others))]
        biases = [layer.bias[None, None] for layer in others]
        rows = interests.reshape(1, -1, *interests.shape[-2:])  # (1, N, K, d)
        vectors = leaky_network(rows, start, weights, biases).view_as(interests)  # c
        scores: Tensor = (vectors * self.prototypes).sum(-1) / width**0.5
        return scores.softmax(-1)
