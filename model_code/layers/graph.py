"""The heterogeneous graph of a history (Eq. 1-5) and its views (Eq. 16-17)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from model_code.groups import UNKNOWN, Group

RELATIONS = 3  # incoming, outgoing, similar: those that link two different nodes


class Edges(NamedTuple):
    """Edges of a batch of graphs; leading axes ``...`` are the batch, and before it the views if any."""

    pair: Tensor  # (..., RELATIONS, L, L) bool; [r, i, j]: j is a neighbour of i in relation r
    itself: Tensor  # (..., L) bool; i has its self-connection


@torch.no_grad()
def build_edges(nodes: Tensor, group: Group, *, neighbors: int, threshold: float) -> Edges:
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

    Returns:
        Edges without a view axis: ``pair`` (B, RELATIONS, L, L), ``itself`` (B, L).
    """
    mask = group.mask
    slots = torch.arange(nodes.shape[1], device=nodes.device)
    ahead = slots - slots[:, None]  # (L, L), j - i
    incoming = (ahead < 0) & (ahead >= -neighbors)
    outgoing = (ahead > 0) & (ahead <= neighbors)

    directions = F.normalize(nodes, dim=-1)
    unknown = group.history_item == UNKNOWN
    similar = directions @ directions.mT >= threshold
    similar &= ~(unknown[:, :, None] & unknown[:, None, :]) & (ahead != 0)

    pair = torch.stack([incoming.expand_as(similar), outgoing.expand_as(similar), similar], 1)
    return Edges(pair & (mask[:, :, None] & mask[:, None, :])[:, None], mask)


def add_views(edges: Edges, dropout: float) -> Edges:
    r"""Stack the graph and two views of it, $s(G) = (V, M \odot E)$ (Eq. 16-17), on a new first axis.

    A view keeps each edge of every relation, the self-connection included, with probability 1 - ``dropout``,
    independently. The masks come from torch's global generator.

    Returns:
        Edges with a first axis of 3: the graph, view ', view ''.
    """
    return Edges(_with_views(edges.pair, dropout), _with_views(edges.itself, dropout))


def _with_views(edges: Tensor, dropout: float) -> Tensor:
    kept = torch.rand((2, *edges.shape), device=edges.device) >= dropout
    return torch.cat([edges[None], edges & kept])
