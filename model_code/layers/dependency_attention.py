"""Hierarchical attention over the relations of a graph (Eq. 6-11)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_code.layers.graph import RELATIONS, Edges
from model_code.layers.initialisation import linear, xavier
from model_code.layers.masked import masked_softmax

NODE_SLOPE = 0.2  # of the LeakyReLU between nodes, as in GAT


class DependencyAttention(nn.Module):
    r"""One layer of attention, first over the neighbours in a relation, then over the relations.

    With $z = W h$ cut into heads $\phi$, for each relation $r$ and node $i$:

    $$a^\phi_{(r)ij} = \mathrm{LeakyReLU}_{0.2}(w^\phi_{(r)} \cdot [z^\phi_i \| z^\phi_j]) \tag{6}$$
    $$\alpha^\phi_{(r)ij} = \mathrm{softmax}_{j \in N_{(r)}(i)}\, a^\phi_{(r)ij} \tag{7}$$
    $$h^\phi_{(r)i} = \sum_{j \in N_{(r)}(i)} \alpha^\phi_{(r)ij} z^\phi_j \tag{8}$$
    $$e^\phi_{(r)i} = \mathrm{LeakyReLU}(w^\phi_d \cdot h^\phi_{(r)i} + b^\phi_d) \tag{9}$$
    $$\beta^\phi_{(r)i} = \mathrm{softmax}_{r : N_{(r)}(i) \neq \emptyset}\, e^\phi_{(r)i} \tag{10}$$
    $$h'_i = \|_\phi \sum_r \beta^\phi_{(r)i} h^\phi_{(r)i} \tag{11}$$

    Where the paper is silent:
        - $h^\phi$ is a cut of one projection without bias, shared by the relations, as in GAT;
        - a relation in which i has no neighbour drops out of Eq. 10; with none left the output is 0;
        - the LeakyReLU slope is 0.2 in Eq. 6 (GAT's) and 0.01 in Eq. 9.

    The self relation has one neighbour, whose weight in Eq. 7 is 1, so it has no $w_{(r)}$. Since
    $w \cdot [z_i \| z_j] = w_1 \cdot z_i + w_2 \cdot z_j$, no pair of vectors is ever formed.

    Shapes:
        nodes: (..., L, d).
        edges: pair (..., 3, L, L), itself (..., L); leading axes broadcast against those of ``nodes``.
        returns: (..., L, d), zero for nodes without edges.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        head_width = width // heads
        self.heads = heads
        self.projection = linear(width, width, bias=False)
        # The two halves of w_(r): for the node itself, and for its neighbour.
        self.centre = xavier(heads, RELATIONS, head_width, inputs=2 * head_width, outputs=1)
        self.neighbour = xavier(heads, RELATIONS, head_width, inputs=2 * head_width, outputs=1)
        self.relation = xavier(heads, head_width, inputs=head_width, outputs=1)
        self.relation_bias = nn.Parameter(torch.zeros(heads))

    def forward(self, nodes: Tensor, edges: Edges) -> Tensor:
        """Refine the nodes (..., L, d) over their edges."""
        z = (
            self.projection(nodes).unflatten(-1, (self.heads, -1)).transpose(-3, -2)
        )  # (..., heads, L, d/heads)
        centre = torch.einsum("...hld,hrd->...hrl", z, self.centre)[..., :, None]
        neighbour = torch.einsum("...hld,hrd->...hrl", z, self.neighbour)[..., None, :]
        scores = F.leaky_relu(centre + neighbour, NODE_SLOPE)  # (..., heads, 3, L, L), Eq. 6
        alpha = masked_softmax(scores, edges.pair.unsqueeze(-4))  # Eq. 7

        mixed = (alpha.flatten(-3, -2) @ z).unflatten(
            -2, (RELATIONS, -1)
        )  # (..., heads, 3, L, d/heads), Eq. 8
        itself = z.unsqueeze(-3).expand_as(mixed[..., :1, :, :])
        relations = torch.cat([mixed, itself], -3)  # (..., heads, 4, L, d/heads)

        present = torch.cat([edges.pair.any(-1), edges.itself.unsqueeze(-2)], -2)  # (..., 4, L)
        scores = torch.einsum("...hrld,hd->...hrl", relations, self.relation)
        scores = F.leaky_relu(scores + self.relation_bias[:, None, None])  # Eq. 9
        beta = masked_softmax(scores, present.unsqueeze(-3), dim=-2)  # Eq. 10
        return torch.einsum("...hrl,...hrld->...lhd", beta, relations).flatten(-2)  # Eq. 11
