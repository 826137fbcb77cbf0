"""MIND: multi-interest network with dynamic routing (CIKM 2019), as a ranker."""

from __future__ import annotations

from torch import nn

from model_code.groups import Group, LogShape, Output
from model_code.layers.capsules import SharedCapsules
from model_code.layers.embedding_table import EmbeddingTable
from model_code.layers.interest_head import InterestHead
from model_code.layers.node_embedding import NodeEmbedding
from model_code.layers.readout import label_aware_attention
from model_code.settings import require, settings


@settings
class MINDSettings:
    """Settings of MIND.

    Attributes:
        embedding_width: of each feature; item vectors are twice as wide.
        embedding_scale: standard deviation of the initial embeddings.
        interests: K, number of capsules.
        iterations: of the routing.
        power: p of the label-aware attention; 0 weighs all interests alike, a large one picks the nearest.
        hidden: widths of the hidden layers of the head.
        user_embedding: let the head read a vector of the user as well.
    """

    embedding_width: int = 16
    embedding_scale: float = 0.1
    interests: int = 4
    iterations: int = 3
    power: float = 1.0
    hidden: tuple[int, ...] = (200, 80)
    user_embedding: bool = False

    def __post_init__(self) -> None:
        for name in ("embedding_width", "interests", "iterations"):
            value = getattr(self, name)
            require(value > 0, f"mind.{name}", value, "a positive number")
        require(self.embedding_scale > 0, "mind.embedding_scale", self.embedding_scale, "positive")
        require(self.power >= 0, "mind.power", self.power, "0 or more")
        hidden = len(self.hidden) > 0 and min(self.hidden) > 0
        require(hidden, "mind.hidden", self.hidden, "one or more positive numbers")


class MIND(nn.Module):
    r"""MIND (Li et al. 2019) as a ranker.

    $V = \mathrm{capsules}(h_1 \dots h_n)$, K of them, once a group (`SharedCapsules`);
    $v = \sum_k \mathrm{softmax}_k(p\, v_k \cdot q)\, v_k$ (`label_aware_attention`);
    logit $= \mathrm{head}([q \| v \| q \circ v])$ (`InterestHead`).

    The original retrieves: it scores an item by $v \cdot q$ in a softmax over sampled items, and serves by a
    search for each $v_k$. No ranking version was released; the head is this project's.

    Where the paper is silent, or left:
        - the routing logits are drawn once and kept, see `SharedCapsules`; 3 iterations;
        - the gradient passes through the last iteration of the routing only, as in public code;
        - K capsules for every user; the paper's number of them that grows with the history saves serving
          cost, and its two dense layers on the capsules join user profiles, which there are none of here;
        - p is a factor, not a power, see `label_aware_attention`.

    Shapes:
        group: B histories of up to L events, C candidates each.
        returns: logits (B, C); no extra loss.
    """

    def __init__(self, settings: MINDSettings, shape: LogShape) -> None:
        super().__init__()
        self.loss_weights: dict[str, float] = {}
        self.power = settings.power
        scale = settings.embedding_scale
        self.nodes = NodeEmbedding(shape.sizes, settings.embedding_width, scale)
        width = self.nodes.width
        self.capsules = SharedCapsules(width, settings.interests, shape.max_length, settings.iterations)
        users = None
        if settings.user_embedding:
            users = EmbeddingTable(shape.sizes.users, settings.embedding_width, scale)
        self.head = InterestHead(width, settings.hidden, users)

    def forward(self, group: Group) -> Output:
        """Score the candidates of each group."""
        history, candidates = self.nodes(group)
        interests = self.capsules(history, group.mask).capsules  # (B, K, d)
        interest = label_aware_attention(interests, candidates, self.power)  # (B, C, d)
        return Output(self.head(candidates, interest, group.user), {})
