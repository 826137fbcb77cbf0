"""Interests of a user with respect to a candidate (Eq. 13)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_code.layers.initialisation import xavier
from model_code.layers.masked import masked_softmax


class InterestExtraction(nn.Module):
    r"""K attentions over the history, each a two-layer network ``2d -> d -> 1``:

    $$v^k = \sum_i \alpha^k_i h^*_i, \qquad
      \alpha^k_i = \mathrm{softmax}_i\; w_k \cdot \mathrm{LeakyReLU}(W_k [h^*_i \| h_t] + b_k) \tag{13}$$

    Where the paper is silent: the softmax over the valid positions (Eq. 13 shows none; "attention" and "soft
    clustering" imply it). It makes a bias after $w_k$ idle, so there is none.

    $W_k [h^*_i \| h_t] = A_k h^*_i + B_k h_t$: the two terms are computed once a position and once a
    candidate, and only their sum is formed for each pair.

    Shapes:
        nodes: (..., B, L, d), refined histories; the leading axes are views of them.
        candidates: (B, C, d).
        mask: (B, L) bool.
        returns: V (..., B, C, K, d).
    """

    def __init__(self, width: int, interests: int) -> None:
        super().__init__()
        self.interests = interests
        # W_k of all k, one below the other: the left half is A, the right half is B.
        self.hidden = xavier(interests * width, 2 * width, inputs=2 * width, outputs=width)
        self.hidden_bias = nn.Parameter(torch.zeros(interests * width))
        self.score = xavier(interests, 1, width, inputs=width, outputs=1)

    def forward(self, nodes: Tensor, candidates: Tensor, mask: Tensor) -> Tensor:
        """Extract the K interests of each candidate: (..., B, C, K, d)."""
        of_node, of_candidate = self.hidden.chunk(2, 1)
        position = F.linear(nodes, of_node).unsqueeze(-3)  # (..., B, 1, L, K d)
        candidate = F.linear(candidates, of_candidate, self.hidden_bias).unsqueeze(-2)  # (B, C, 1, K d)
        # The largest tensor of the model, (..., B, C, L, K d): changed in place to hold it once.
        hidden = F.leaky_relu_(position + candidate)
        scores = F.linear(hidden, torch.block_diag(*self.score))  # (..., B, C, L, K)
        alpha = masked_softmax(scores.mT, mask[:, None, None])  # (..., B, C, K, L)
        interests: Tensor = (alpha.flatten(-3, -2) @ nodes).unflatten(-2, (-1, self.interests))
        return interests
