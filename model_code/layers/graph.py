"""The heterogeneous graph of a history (Eq. 1-5) and its views (Eq. 16-17)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from model_code.groups import UNKNOWN, Group
from model_code.kernels import library
from model_code.replicas import Shard, current

VIEWS = 2  # of a graph, beside itself


class Edges(NamedTuple):
    """Edges of a batch of graphs; leading axes ``...`` are the batch, and before it the views if any.

    The contextual relations reach ``neighbors`` positions at most, so they are bands: entry o stands for the
    neighbour ``i + offsets(neighbors)[r][o]`` of node i.
    """

    near: Tensor  # (..., 2, neighbors, L) bool; incoming and outgoing, entry o, of node i
    similar: Tensor  # (..., L, L) bool; [i, j]: j is a neighbour of i
    itself: Tensor  # (..., L) bool; i has its self-connection


class Barriers(NamedTuple):
    """What softmaxes over edges add to their scores: 0 on an edge, the lowest number elsewhere.

    A softmax over no edge at all comes out as noise, which ``relations`` bars in turn.
    """

    near: Tensor  # (..., 2, neighbors, L)
    similar: Tensor  # (..., L, L)
    relations: Tensor  # (..., 4, L): whether i has a neighbour: incoming, outgoing, similar, itself


@dataclass(frozen=True, eq=False)
class Graph:
    """The edges of a batch, and the barriers made of them, once for all layers, where they are asked for."""

    edges: Edges
    dtype: torch.dtype  # of the barriers

    @cached_property
    def barriers(self) -> Barriers:
        """See `bar`."""
        return bar(self.edges, self.dtype)

    @cached_property
    def adjacency(self) -> Tensor:
        """See `adjacency`."""
        return adjacency(self.edges)


def bar(edges: Edges, dtype: torch.dtype) -> Barriers:
    """Turn edges into barriers, as sums are many times faster than choices by a mask."""
    lowest = torch.finfo(dtype).min
    near, similar, itself = ((1 - kind.to(dtype)) * lowest for kind in edges)
    relations = [near.amax(-2), similar.amax(-1).unsqueeze(-2), itself.unsqueeze(-2)]
    return Barriers(near, similar, torch.cat(relations, -2))


def adjacency(edges: Edges) -> Tensor:
    """All relations alike, (..., 4, L, L) bool; [i, j]: j is a neighbour of i. In, out, similar, itself."""
    reach, slots = edges.near.shape[-2:]
    position = torch.arange(slots, device=edges.near.device)
    ahead = position - position[:, None]  # of i, where j stands
    sides = []
    for side, (first, end) in enumerate(offsets(reach)):
        entry = (ahead - first).clamp(0, reach - 1)
        within = (ahead >= first) & (ahead < end)
        sides.append(edges.near[..., side, entry, position[:, None]] & within)
    return torch.stack([*sides, edges.similar, edges.itself.diag_embed()], -3)


def offsets(neighbors: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The half-open ranges in which the incoming and the outgoing neighbours stand, relative to a node."""
    return (-neighbors, 0), (1, neighbors + 1)


@torch.no_grad()
def build_edges(
    nodes: Tensor, group: Group, *, neighbors: int, threshold: float, dropout: float | None = None
) -> Edges:
    r"""Build the graph of each history from its layer-0 node vectors. No gradient passes.

    $N_{in}(i)$, the ``neighbors`` positions before i (Eq. 1); $N_{out}(i)$, those after i (Eq. 2);
    $N_{sim}(i) = \{j \neq i : \cos(h_i, h_j) \geq t\}$ (Eq. 3-4); $N_{self}(i) = \{i\}$ (Eq. 5).
    Padding has no edges.

    Where the paper is silent: two *unknown* items are never similar. They share one vector, so that their
    cosine says nothing. The direction given in the text for $r_{out}$ would repeat $r_{in}$; what differs is
    the neighbour set of Eq. 2, and a node aggregates over its set.

    Args:
        nodes: (B, L, d) layer-0 vectors of the histories.
        group: the histories' ids and lengths.
        neighbors: epsilon, the reach of the contextual relations, in positions.
        threshold: t, the least cosine of a similarity edge.
        dropout: if there is one, `add_views` with it follows.

    Returns:
        Edges without a view axis, or with views.
    """
    if library.ready(nodes):
        return _by_kernel(nodes, group, neighbors, float(threshold), dropout)
    mask = group.mask
    slots = torch.arange(nodes.shape[1], device=nodes.device)
    ahead = torch.stack([torch.arange(*reach, device=nodes.device) for reach in offsets(neighbors)])
    other = ahead[..., None] + slots  # (2, neighbors, L)
    near = mask[:, None, None] & (other >= 0) & (other < group.length[:, None, None, None])

    directions = F.normalize(nodes, dim=-1)
    similar = directions @ directions.mT >= threshold
    known = mask & (group.history_item != UNKNOWN)
    # One of the two is known, both are valid.
    similar &= (known[:, :, None] & mask[:, None, :]) | (mask[:, :, None] & known[:, None, :])
    similar &= slots[:, None] != slots
    edges = Edges(near, similar, mask)
    return edges if dropout is None else add_views(edges, dropout)


def _by_kernel(nodes: Tensor, group: Group, neighbors: int, threshold: float, dropout: float | None) -> Edges:
    """`build_edges` and its views in one call, see ``kernels/graph.c``."""
    groups, slots, width = nodes.shape
    items, lengths = group.history_item.long().contiguous(), group.length.long().contiguous()
    library.require_fit(items.shape == (groups, slots) and lengths.shape == (groups,), nodes, items, lengths)
    histories = (groups, slots, width, neighbors, threshold, UNKNOWN, nodes.contiguous(), items, lengths)
    shard = current(groups)
    sizes = ((2, neighbors, slots), (slots, slots), (slots,))
    axes: tuple[int, ...] = () if dropout is None else (VIEWS + 1,)
    chances = [] if dropout is None else [_chances(shard, size, nodes.device) for size in sizes]
    views = (1 if dropout is None else VIEWS + 1, shard.total, shard.start, _least(dropout or 0.0), chances)
    edges = Edges(*(nodes.new_empty(*axes, groups, *size, dtype=torch.bool) for size in sizes))
    library.call("graph", *histories, *views, edges, torch.get_num_threads())
    return edges


def add_views(edges: Edges, dropout: float) -> Edges:
    r"""Stack the graph and two views of it, $s(G) = (V, M \odot E)$ (Eq. 16-17), on a new first axis.

    A view keeps each edge of every relation, the self-connection included, with probability 1 - ``dropout``
    (to 16 binary digits), independently. The masks come from torch's global generator.

    Returns:
        Edges with a first axis of 3: the graph, view ', view ''.
    """
    return Edges(*(_with_views(kind, dropout) for kind in edges))


def _with_views(edges: Tensor, dropout: float) -> Tensor:
    shard = current(len(edges))
    chances = _chances(shard, edges.shape[1:], edges.device)
    kept = chances[:, shard.start : shard.end] >= _least(dropout)
    return torch.cat([edges[None], edges & kept])


def _chances(shard: Shard, size: tuple[int, ...], device: torch.device) -> Tensor:
    """Uniform 16-bit numbers for edges of ``size`` in a group, (2, groups, *size): for each view."""
    # Drawn for the whole batch, whatever part of it is here: so the views do not depend on the processes.
    shape = (VIEWS, shard.total, *size)
    # Four 16-bit numbers from each draw of 64: on the CPU draws are what costs.
    words = torch.randint(-(2**63), 2**63 - 1, (-(-prod(shape) // 4),), device=device)
    return words.view(torch.int16)[: prod(shape)].view(shape)


def _least(dropout: float) -> int:
    """The least chance of an edge that stays; the highest there is if all but all are dropped."""
    return min(round(dropout * 2**16) - 2**15, 2**15 - 1)
