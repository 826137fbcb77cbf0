"""Self-attention of a history that never looks ahead."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from model_code.layers.initialisation import linear
from model_code.layers.packing import Packing


class CausalAttention(nn.Module):
    r"""Attention of each event on itself and those before it, in several heads.

    $\mathrm{head}_h(i) = \sum_{j \leq i} \mathrm{softmax}_{j \leq i}\big((Q_h x_i + b_h) \cdot K_h x_j /
    \sqrt{d_h}\big)\, V_h x_j$, with $d_h$ = d / heads. An event after i has weight 0, not just a lower score;
    padding stands after all events, and so none looks at it.

    A bias of K would be idle, and one of V adds to that of the map which every user of the heads has next.

    Shapes:
        nodes: (P, d), packed.
        returns: (P, d), the heads side by side, packed.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = linear(width, width)
        self.key = linear(width, width, bias=False)
        self.value = linear(width, width, bias=False)

    def forward(self, nodes: Tensor, packing: Packing) -> Tensor:
        """Attend: (P, d) -> (P, d)."""
        query, key, value = (
            packing.unpack(map_to(nodes)).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for map_to in (self.query, self.key, self.value)
        )  # (B, heads, L, d_h)
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return packing.pack(attended.transpose(1, 2).flatten(-2))
