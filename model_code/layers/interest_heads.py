"""DMIN's interests: one sequence for each head of a self-attention."""

from __future__ import annotations

from torch import Tensor, nn

from model_code.layers.causal_attention import CausalAttention
from model_code.layers.packing import Packing
from model_code.layers.refinement import Refinement


class InterestHeads(nn.Module):
    """The history in as many versions as there are heads, one for each interest.

    The first part of the multi-interest extractor layer of Xiao et al. 2020; `PositionedUnit` is the second.
    `CausalAttention`, each head of which goes through a `Refinement` of its own, from its d / heads numbers
    to d.

    Shapes:
        nodes: (P, d), packed.
        returns: a (P, d) for each head, packed.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = CausalAttention(width, heads)
        self.refinements = nn.ModuleList(Refinement(width // heads, width) for _ in range(heads))

    def forward(self, nodes: Tensor, packing: Packing) -> list[Tensor]:
        """Make the versions: (P, d) for each head."""
        heads = self.attention(nodes, packing).chunk(len(self.refinements), -1)
        return [refine(nodes, head) for refine, head in zip(self.refinements, heads, strict=True)]
