"""Hierarchical attention over the relations of a graph (Eq. 6-11)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from model_code.kernels.library import LANES, call, ready, require_fit
from model_code.layers.bands import band_sum, windows
from model_code.layers.graph import Barriers, Edges, Graph
from model_code.layers.initialisation import linear, xavier
from model_code.layers.packing import Packing
from model_code.layers.similar_attention import similar_attention

NODE_SLOPE = 0.2  # of the LeakyReLU between nodes, as in GAT
RELATIONS = 3  # incoming, outgoing, similar: those that link two different nodes


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
        edges: leading axes broadcast against those of ``nodes``.
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

    def forward(self, nodes: Tensor, graph: Graph, packing: Packing) -> Tensor:
        """Refine the nodes (..., L, d) over their edges."""
        if (nodes.shape[-1] // self.heads) % LANES or not ready(nodes, self.projection.weight):
            return self._refine(nodes, graph.barriers, packing)
        require_fit(packing.mask.shape == nodes.shape[-3:-1], packing.mask, nodes)
        # The last of 8 shares of a node is idle: a kernel likes whole vectors.
        idle = self.centre.new_zeros(self.heads, LANES - 2 * RELATIONS - 1, self.centre.shape[-1])
        weights = torch.cat([self.centre, self.neighbour, self.relation[:, None], idle], 1)
        refined: Tensor = _Attention.apply(
            packing.lengths, graph.edges, nodes, self.projection.weight, weights, self.relation_bias
        )
        return refined

    def _refine(self, nodes: Tensor, edges: Barriers, packing: Packing) -> Tensor:
        z = self.projection(nodes)
        # What a node contributes to each score, as itself and as a neighbour: (..., heads, 7, L).
        shares = torch.block_diag(*torch.cat([self.centre, self.neighbour, self.relation[:, None]], 1))
        shares = (shares @ z.mT).unflatten(-2, (self.heads, -1))
        centre, neighbour, itself = shares.split([RELATIONS, RELATIONS, 1], -2)
        z = z.unflatten(-1, (self.heads, -1)).transpose(-3, -2).contiguous()  # (..., heads, L, d/heads)

        reach = edges.near.shape[-2]
        of_sides = torch.stack([neighbour[..., :2, :], itself.expand_as(centre[..., :2, :])], -3)
        of_neighbour, message = windows(of_sides, reach).unbind(-4)  # (..., heads, 2, reach, L) each
        near = centre[..., :2, None, :] + of_neighbour
        near = (F.leaky_relu(near, NODE_SLOPE) + edges.near.unsqueeze(-4)).softmax(-2)
        of_similar = similar_attention(
            packing, z, centre[..., 2, :], neighbour[..., 2, :], edges.similar, NODE_SLOPE
        )  # (..., heads, L, d/heads), Eq. 6-8

        score_near = (near * message).sum(-2)  # (..., heads, 2, L)
        score_similar = (of_similar * self.relation[:, None]).sum(-1).unsqueeze(-2)
        scores = torch.cat([score_near, score_similar, itself.expand_as(score_similar)], -2)
        scores = F.leaky_relu(scores + self.relation_bias[:, None, None])  # Eq. 9
        beta = (scores + edges.relations.unsqueeze(-3)).softmax(-2)  # (..., heads, 4, L), Eq. 10
        beta = beta * (edges.relations == 0).unsqueeze(-3)
        of_near, of_itself = near * beta[..., :2, None, :], beta[..., 3:, :]
        band = torch.cat([of_near[..., 0, :, :], of_itself, of_near[..., 1, :, :]], -2)
        refined = band_sum(band, z) + beta[..., 2, :, None] * of_similar  # Eq. 11
        return refined.transpose(-3, -2).flatten(-2)


class _Attention(torch.autograd.Function):
    """All of it, node by node over the edges there are; see ``kernels/dependency_attention.c``."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        lengths: Tensor,  # (B,) int64
        edges: Edges,
        nodes: Tensor,  # (..., B, L, d)
        projection: Tensor,  # (d, d)
        weights: Tensor,  # (heads, 8, d/heads)
        bias: Tensor,  # (heads,)
    ) -> Tensor:
        # The kernel checks nothing.
        size = (*nodes.shape[-3:-1],)
        same = edges.itself.shape[-2:] == size and edges.similar.shape[-3:] == (*size, size[1])
        same = same and edges.near.shape[-4::3] == size and len(lengths) == size[0]
        require_fit(same and nodes.shape[-1] == len(projection), nodes, *edges)
        inputs = [value.contiguous() for value in (lengths, nodes, projection, weights, bias, *edges)]
        groups, slots, width = nodes.shape[-3:]
        views = edges.itself.numel() // (groups * slots)
        shared = int(nodes.dim() < edges.near.dim() - 1)
        heads, reach = len(bias), edges.near.shape[-2]
        threads = torch.get_num_threads()
        ctx.sizes = (threads, shared, views, groups, slots, heads, width // heads, reach)
        ctx.save_for_backward(*inputs)
        refined = nodes.new_zeros(*edges.itself.shape, width)
        call("dependency_attention", *ctx.sizes, *inputs, refined)
        return refined

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        of_nodes = torch.zeros_like(ctx.saved_tensors[1])
        of_weights = [value.new_zeros(ctx.sizes[0], *value.shape) for value in ctx.saved_tensors[2:5]]
        call(
            "dependency_attention_backward",
            *ctx.sizes,
            *ctx.saved_tensors,
            gradient.contiguous(),
            of_nodes,
            *of_weights,
        )
        return None, None, of_nodes, *(value.sum(0) for value in of_weights)
