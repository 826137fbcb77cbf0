"""Interests of a history by self-attention with learned queries."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model_code.layers.initialisation import linear
from model_code.layers.packing import Packing

EXPANSION = 4  # width of the hidden layer, in widths of the input


class SelfAttentiveExtraction(nn.Module):
    r"""K weighted means of a history (Lin et al. 2017; Cen et al. 2020):

    $$A = \mathrm{softmax}_i\big(W_2 \tanh(W_1 (E + P))\big), \qquad V = A^\top E$$

    with E the events, P a learned vector for each position, $W_1$ from d to 4d and $W_2$ from 4d to K. The
    softmax is over the valid events, for each interest.

    Where the paper is silent, or differs from the authors' code: positions take part in the weights only, not
    in V, as in the code; the maps have no biases, as in the paper (one after $W_2$ would be idle).

    Shapes:
        history: (B, L, d), left-aligned, L up to ``max_length``.
        returns: V (B, K, d), 0 for an empty history.
    """

    def __init__(self, width: int, interests: int, max_length: int, scale: float) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.randn(max_length, width) * scale)
        self.hidden = linear(width, EXPANSION * width, bias=False)
        self.score = linear(EXPANSION * width, interests, bias=False)

    def forward(self, history: Tensor, packing: Packing) -> Tensor:
        """Extract the K interests of each history: (B, K, d)."""
        return self.weights(history, packing).mT @ history

    def weights(self, history: Tensor, packing: Packing) -> Tensor:
        """A (B, L, K), which sums to 1 over the events of each history and is 0 at padding."""
        placed = packing.pack(history + self.positions[: history.shape[1]])
        return packing.softmax(self.score(self.hidden(placed).tanh()))
