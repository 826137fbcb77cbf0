"""Convolution with a weight for each relation, as GCMC has it: an alternative to dependency attention."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from model_code.layers.graph import Graph
from model_code.layers.initialisation import linear
from model_code.layers.packing import Packing

RELATIONS = 4


class GraphConvolution(nn.Module):
    r"""One layer of GCMC's encoder (van den Berg et al. 2017):

    $$h'_i = \mathrm{ReLU}\Big(\sum_r W_{(r)} \frac{1}{|N_{(r)}(i)|} \sum_{j \in N_{(r)}(i)} h_j\Big)$$

    An empty neighbourhood adds nothing. Its dense layer, which follows the encoder, has no part in this: the
    interest extraction reads the nodes.

    Shapes: those of `DependencyAttention`.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.relations = linear(RELATIONS * width, width, bias=False)  # the W_(r), side by side

    def forward(self, nodes: Tensor, graph: Graph, packing: Packing) -> Tensor:
        """Refine the nodes (..., L, d) over their edges."""
        linked = graph.adjacency.to(nodes.dtype)  # (..., 4, L, L)
        weights = linked / linked.sum(-1, keepdim=True).clamp(min=1)
        means = weights @ nodes.unsqueeze(-3)  # (..., 4, L, d)
        return F.relu(self.relations(means.transpose(-3, -2).flatten(-2)))
