"""DMIN's behaviour refiner."""

from __future__ import annotations

from torch import Tensor, nn

from model_code.layers.causal_attention import CausalAttention
from model_code.layers.packing import Packing
from model_code.layers.refinement import Refinement


class BehaviourRefiner(nn.Module):
    """Each event in the light of those before it (Xiao et al. 2020, behavior refiner layer).

    `CausalAttention`, whose heads together go through one `Refinement`.

    Shapes:
        nodes: (P, d), packed.
        returns: (P, d), packed.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = CausalAttention(width, heads)
        self.refinement = Refinement(width, width)

    def forward(self, nodes: Tensor, packing: Packing) -> Tensor:
        """Refine (P, d)."""
        refined: Tensor = self.refinement(nodes, self.attention(nodes, packing))
        return refined
