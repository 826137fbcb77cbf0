"""Attention over the union of the relations, as GAT has it: an alternative to dependency attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model_code.layers.graph import Graph
from model_code.layers.initialisation import linear, xavier
from model_code.layers.packing import Packing
from model_code.layers.similar_attention import similar_attention

SLOPE = 0.2


class GraphAttention(nn.Module):
    r"""One layer of GAT (Veličković et al. 2018) that does not tell the relations apart.

    With $z = W h$ cut into heads $\phi$, and $N(i)$ the union of the $N_{(r)}(i)$:

    $$\alpha^\phi_{ij} = \mathrm{softmax}_{j \in N(i)}\,
      \mathrm{LeakyReLU}_{0.2}(w^\phi \cdot [z^\phi_i \| z^\phi_j]), \qquad
      h'_i = \|_\phi \sum_{j \in N(i)} \alpha^\phi_{ij} z^\phi_j$$

    No nonlinearity follows, as none follows dependency attention: so the two differ in the relations alone.

    Shapes: those of `DependencyAttention`.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        head_width = width // heads
        self.heads = heads
        self.projection = linear(width, width, bias=False)
        # The two halves of w: for the node itself, and for its neighbour.
        self.centre = xavier(heads, head_width, inputs=2 * head_width, outputs=1)
        self.neighbour = xavier(heads, head_width, inputs=2 * head_width, outputs=1)

    def forward(self, nodes: Tensor, graph: Graph, packing: Packing) -> Tensor:
        """Refine the nodes (..., L, d) over their edges; 0 where there are none."""
        linked = graph.adjacency.any(-3)  # (..., L, L)
        barrier = (1 - linked.to(nodes.dtype)) * torch.finfo(nodes.dtype).min
        z = self.projection(nodes).unflatten(-1, (self.heads, -1)).transpose(-3, -2).contiguous()
        centre, neighbour = ((z * w[:, None]).sum(-1) for w in (self.centre, self.neighbour))
        refined = similar_attention(packing, z, centre, neighbour, barrier, SLOPE)
        return refined.transpose(-3, -2).flatten(-2) * linked.any(-1, keepdim=True)
