"""DemiNet: dependency-aware multi-interest network with self-supervised graph learning (AAAI 2022)."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from model_code.groups import Group, LogShape, Output
from model_code.layers.confidences import Aggregation, make_confidence
from model_code.layers.dropout import dropout
from model_code.layers.embedding_table import EmbeddingTable
from model_code.layers.graph import Edges, Graph, build_edges
from model_code.layers.graph_operators import GRAPH_OPERATORS, GraphOperator
from model_code.layers.interest_experts import InterestExperts
from model_code.layers.interest_extraction import InterestExtraction
from model_code.layers.masked import masked_mean
from model_code.layers.node_embedding import NodeEmbedding
from model_code.layers.packing import Packing
from model_code.layers.self_supervision import self_supervision_loss
from model_code.settings import require, settings


@settings
class DemiNetSettings:
    """Settings of DemiNet; the defaults are the literal reading of the paper.

    Attributes:
        embedding_width: of each feature; item vectors are twice as wide.
        embedding_scale: standard deviation of the initial embeddings. It sets how strong the gradient of the
            self-supervision is next to the cross-entropy's.
        embedding_dropout: share of the entries of item vectors that a training step zeroes, once the graph is
            built from them.
        neighbors: epsilon, reach of the contextual relations, in positions.
        threshold: t, least cosine of a similarity edge.
        operator: that refines the history over its graph: "dha", dependency attention; "gat", "gcmc" or
            "lightgcn" in its place; "none" extracts interests from the raw sequence. Without a graph there
            are no views of it, and so no self-supervision.
        layers: of the operator.
        heads: Phi, of dependency attention and of "gat".
        residual: add each layer's input to its output.
        interests: K.
        experts: "interests", one for each; "single", one for all of them together.
        aggregation: of the experts' scores: "confi_net"; "mean"; "hard_routing", which trains as "confi_net"
            and then takes the expert of the highest confidence; "moe", a gate that sees no interest.
        hidden: widths of the hidden layers of the experts and of Confi-Net.
        product: let the experts read the product of candidate and history summary as well.
        user_embedding: let the experts read a vector of the user as well.
        edge_dropout: rho, share of the edges that a view drops.
        beta: weight of the self-supervision; 0 leaves it out.
    """

    embedding_width: int = 16
    embedding_scale: float = 0.1
    embedding_dropout: float = 0.0
    neighbors: int = 3
    threshold: float = 0.7
    operator: GraphOperator | Literal["none"] = "dha"
    layers: int = 2
    heads: int = 2
    residual: bool = False
    interests: int = 4
    experts: Literal["interests", "single"] = "interests"
    aggregation: Aggregation = "confi_net"
    hidden: tuple[int, ...] = (200, 80)
    product: bool = False
    user_embedding: bool = False
    edge_dropout: float = 0.6
    beta: float = 0.1

    def __post_init__(self) -> None:
        for name in ("embedding_width", "neighbors", "layers", "heads", "interests"):
            value = getattr(self, name)
            require(value > 0, f"deminet.{name}", value, "a positive number")
        for name, options in (
            ("operator", (*GRAPH_OPERATORS, "none")),
            ("experts", ("interests", "single")),
            ("aggregation", get_args(Aggregation)),
        ):
            value = getattr(self, name)
            require(value in options, f"deminet.{name}", value, f"one of {', '.join(options)}")
        width = 2 * self.embedding_width
        require(width % self.heads == 0, "deminet.heads", self.heads, f"a divisor of the node width, {width}")
        require(self.embedding_scale > 0, "deminet.embedding_scale", self.embedding_scale, "positive")
        rate = self.embedding_dropout
        require(0 <= rate < 1, "deminet.embedding_dropout", rate, "a number in [0, 1)")
        require(-1 < self.threshold < 1, "deminet.threshold", self.threshold, "a number in (-1, 1)")
        hidden = len(self.hidden) > 0 and min(self.hidden) > 0
        require(hidden, "deminet.hidden", self.hidden, "one or more positive numbers")
        require(0 <= self.edge_dropout < 1, "deminet.edge_dropout", self.edge_dropout, "a number in [0, 1)")
        require(self.beta >= 0, "deminet.beta", self.beta, "0 or more")


class Interests(NamedTuple):
    """What DemiNet makes of a user with respect to each candidate."""

    vectors: Tensor  # V, (B, C, K, d)
    confidence: Tensor  # omega, (B, C, K), or (B, C, 1) for a single expert; sums to 1


class DemiNet(nn.Module):
    r"""DemiNet (Wang et al. 2022).

    $H^* = \mathrm{layers}(G_u, H) + E_p$ (Eq. 6-12, `DependencyAttention` over the graph of `build_edges`);
    $V = \mathrm{interests}(H^*, h_t)$ (Eq. 13, `InterestExtraction`);
    $o^k = \mathrm{expert}_k([V \| s_u \| f_i])$ (`InterestExperts`);
    $\omega = \mathrm{confidence}(V, s_u, f_i)$ (Eq. 14, `ConfiNet`); logit $= \sum_k \omega^k o^k$ (Eq. 15).
    In training two views of the graph, with edges dropped, give $V'$ and $V''$, whose divergence (Eq. 16-18,
    `self_supervision_loss`) is added to the cross-entropy with weight $\beta$ (Eq. 20).

    Where the paper is silent:
        - node vectors are $h = [e_{item} \| e_{category}]$; $f_i$ is the candidate's $h_t$, and $s_u$ the
          mean of the history's h;
        - the graph is built once, from the layer-0 vectors, without gradient, and serves all layers; so does
          a view's mask;
        - views pass through graph attention and interest extraction only, and exist in training only;
        - Eq. 15 takes a softmax of two scores; the sigmoid of one logit, their difference, is the same;
        - user profiles: none; the user id's vector is a setting, and so is dropout on item vectors.

    Shapes:
        group: B histories of up to L events, C candidates each.
        returns: logits (B, C); in training the loss "self_supervision", unless beta is 0.
    """

    def __init__(self, settings: DemiNetSettings, shape: LogShape) -> None:
        super().__init__()
        self.settings = settings
        beta, operator = settings.beta, settings.operator
        supervised = beta > 0 and operator != "none"
        self.loss_weights: dict[str, float] = {"self_supervision": beta} if supervised else {}

        scale, interests, hidden = settings.embedding_scale, settings.interests, settings.hidden
        self.nodes = NodeEmbedding(shape.sizes, settings.embedding_width, scale)
        width = self.nodes.width
        self.layers = nn.ModuleList()
        if operator != "none":
            make = GRAPH_OPERATORS[operator]
            self.layers.extend(make(width, settings.heads) for _ in range(settings.layers))
        self.positions = nn.Parameter(torch.randn(shape.max_length, width) * scale)
        self.extraction = InterestExtraction(width, interests)
        experts = interests if settings.experts == "interests" else 1
        self.confidence = make_confidence(settings.aggregation, width, experts, hidden)
        inputs = (interests + 2 + settings.product) * width
        self.users = None
        if settings.user_embedding:
            self.users = EmbeddingTable(shape.sizes.users, settings.embedding_width, scale)
            inputs += settings.embedding_width
        self.experts = InterestExperts(inputs, experts, hidden)

    def forward(self, group: Group) -> Output:
        """Score the candidates of each group."""
        history, candidates = self.nodes(group)
        packing = Packing.of(group)
        supervised = self.training and bool(self.loss_weights)
        undropped = history  # which the graph is of
        rate = self.settings.embedding_dropout
        history, candidates = (dropout(part, rate, self.training) for part in (history, candidates))
        edges = self._edges(group, undropped, views=supervised)
        losses: dict[str, Tensor] = {}
        if supervised:
            # One pass over the graph and its two views: what does not depend on the edges is computed once.
            vectors, first, second = self._extract(packing, history, candidates, edges).unbind()
            losses["self_supervision"] = self_supervision_loss(first, second)
        else:
            vectors = self._extract(packing, history, candidates, edges)

        context = self._context(packing, history, candidates)
        omega = self.confidence(vectors, context)
        inputs = self._experts_input(group, vectors, context)
        scores = self.experts(inputs.flatten(0, 1)).view_as(omega)
        return Output((omega * scores).sum(-1), losses)  # Eq. 15

    def interests(self, group: Group) -> Interests:
        """Return the interests of each group with respect to its candidates, and the experts' confidences."""
        history, candidates = self.nodes(group)
        packing = Packing.of(group)
        vectors = self._extract(packing, history, candidates, self._edges(group, history, views=False))
        return Interests(vectors, self.confidence(vectors, self._context(packing, history, candidates)))

    def _edges(self, group: Group, history: Tensor, *, views: bool) -> Edges | None:
        s = self.settings
        if s.operator == "none":
            return None
        rate = s.edge_dropout if views else None
        return build_edges(history, group, neighbors=s.neighbors, threshold=s.threshold, dropout=rate)

    def _extract(self, packing: Packing, history: Tensor, candidates: Tensor, edges: Edges | None) -> Tensor:
        """Refine the history over ``edges`` and extract V (..., B, C, K, d), with the edges' view axis."""
        nodes = history
        if edges is not None:
            graph = Graph(edges, history.dtype)
            for layer in self.layers:
                refined = layer(nodes, graph, packing)
                nodes = nodes + refined if self.settings.residual else refined
        nodes = nodes + self.positions[: history.shape[1]]  # Eq. 12
        vectors: Tensor = self.extraction(nodes, candidates, packing)
        return vectors

    def _context(self, packing: Packing, history: Tensor, candidates: Tensor) -> Tensor:
        """[s_u || f_i] (B, C, 2d)."""
        summary = masked_mean(history, packing.mask)[:, None].expand_as(candidates)
        return torch.cat([summary, candidates], -1)

    def _experts_input(self, group: Group, vectors: Tensor, context: Tensor) -> Tensor:
        """E' = [flatten(V) || s_u || f_i] and what the settings add to it (B, C, inputs)."""
        parts = [vectors.flatten(-2), context]
        if self.settings.product:
            summary, candidate = context.chunk(2, -1)
            parts.append(summary * candidate)
        if self.users is not None:
            parts.append(self.users(group.user)[:, None].expand(-1, context.shape[1], -1))
        return torch.cat(parts, -1)
