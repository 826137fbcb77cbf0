"""Convolution without weights, as LightGCN has it: an alternative to dependency attention."""

from __future__ import annotations

from torch import Tensor, nn

from model_code.layers.graph import Graph
from model_code.layers.packing import Packing


class LightGraphConvolution(nn.Module):
    r"""One layer of LightGCN (He et al. 2020) over the union $N(i)$ of the relations:

    $$h'_i = \sum_{j \in N(i)} \frac{h_j}{\sqrt{|N(i)|\,|N(j)|}}$$

    The self-connection is one of the relations and so of the union, where LightGCN has none and averages
    over the layers instead. In a view edges are dropped in one direction; $|N(j)|$ counts what j reads.

    Shapes: those of `DependencyAttention`.
    """

    def forward(self, nodes: Tensor, graph: Graph, packing: Packing) -> Tensor:
        """Refine the nodes (..., L, d) over their edges."""
        linked = graph.adjacency.any(-3).to(nodes.dtype)  # (..., L, L)
        scale = linked.sum(-1, keepdim=True).clamp(min=1).rsqrt()
        refined: Tensor = scale * (linked @ (scale * nodes))
        return refined
