"""ComiRec-DR: controllable multi-interest framework, by dynamic routing (KDD 2020), as a ranker."""

from __future__ import annotations

from torch import nn

from model_code.groups import Group, LogShape, Output
from model_code.layers.capsules import PositionCapsules
from model_code.layers.embedding_table import EmbeddingTable
from model_code.layers.interest_head import InterestHead
from model_code.layers.node_embedding import NodeEmbedding
from model_code.layers.readout import hard_readout
from model_code.settings import require, settings


@settings
class ComiRecDRSettings:
    """Settings of ComiRec-DR.

    Attributes:
        embedding_width: of each feature; item vectors are twice as wide.
        embedding_scale: standard deviation of the initial embeddings.
        interests: K, number of capsules.
        iterations: of the routing.
        hidden: widths of the hidden layers of the head.
        user_embedding: let the head read a vector of the user as well.
    """

    embedding_width: int = 16
    embedding_scale: float = 0.1
    interests: int = 4
    iterations: int = 3
    hidden: tuple[int, ...] = (200, 80)
    user_embedding: bool = False

    def __post_init__(self) -> None:
        for name in ("embedding_width", "interests", "iterations"):
            value = getattr(self, name)
            require(value > 0, f"comirec_dr.{name}", value, "a positive number")
        require(self.embedding_scale > 0, "comirec_dr.embedding_scale", self.embedding_scale, "positive")
        hidden = len(self.hidden) > 0 and min(self.hidden) > 0
        require(hidden, "comirec_dr.hidden", self.hidden, "one or more positive numbers")


class ComiRecDR(nn.Module):
    r"""ComiRec-DR (Cen et al. 2020) as a ranker.

    $V = \mathrm{capsules}(h_1 \dots h_n)$, K of them, once a group (`PositionCapsules`);
    $v$ is the $v_k$ with the largest $v_k \cdot q$ (`hard_readout`);
    logit $= \mathrm{head}([q \| v \| q \circ v])$ (`InterestHead`).

    The original retrieves: it scores an item by $v \cdot q$ in a softmax over sampled items, and gathers what
    the K interests find. No ranking version was released; the head is this project's.

    Where the paper is silent:
        - each position and capsule has a map of its own, as in the authors' code; position 1 is the oldest
          event kept;
        - the routing logits start at 0, and its gradient passes through the last of 3 iterations only, as in
          the authors' code.

    Shapes:
        group: B histories of up to L events, C candidates each.
        returns: logits (B, C); no extra loss.
    """

    def __init__(self, settings: ComiRecDRSettings, shape: LogShape) -> None:
        super().__init__()
        self.loss_weights: dict[str, float] = {}
        scale = settings.embedding_scale
        self.nodes = NodeEmbedding(shape.sizes, settings.embedding_width, scale)
        width = self.nodes.width
        self.capsules = PositionCapsules(width, settings.interests, shape.max_length, settings.iterations)
        users = None
        if settings.user_embedding:
            users = EmbeddingTable(shape.sizes.users, settings.embedding_width, scale)
        self.head = InterestHead(width, settings.hidden, users)

    def forward(self, group: Group) -> Output:
        """Score the candidates of each group."""
        history, candidates = self.nodes(group)
        interests = self.capsules(history, group.mask).capsules  # (B, K, d)
        interest = hard_readout(interests, candidates)  # (B, C, d)
        return Output(self.head(candidates, interest, group.user), {})
