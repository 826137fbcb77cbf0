"""DIN: deep interest network (KDD 2018)."""

from __future__ import annotations

from torch import nn

from model_code.groups import Group, LogShape, Output
from model_code.layers.activation_unit import ActivationUnit
from model_code.layers.attended_score import attended_score
from model_code.layers.dropout import dropout
from model_code.layers.embedding_table import EmbeddingTable
from model_code.layers.node_embedding import NodeEmbedding
from model_code.layers.prediction_head import PredictionHead
from model_code.settings import require, settings


@settings
class DINSettings:
    """Settings of DIN.

    Attributes:
        embedding_width: of each feature; item vectors are twice as wide.
        embedding_scale: standard deviation of the initial embeddings.
        embedding_dropout: share of the entries of item vectors that a training step zeroes.
        softmax: normalise the attention weights, as all of the authors' code does; the paper does not.
        unit_hidden: widths of the hidden layers of the activation unit.
        hidden: widths of the hidden layers of the head.
        user_embedding: let the head read a vector of the user as well.
    """

    embedding_width: int = 16
    embedding_scale: float = 0.1
    embedding_dropout: float = 0.0
    softmax: bool = True
    unit_hidden: tuple[int, ...] = (80, 40)
    hidden: tuple[int, ...] = (200, 80)
    user_embedding: bool = False

    def __post_init__(self) -> None:
        require(self.embedding_width > 0, "din.embedding_width", self.embedding_width, "a positive number")
        require(self.embedding_scale > 0, "din.embedding_scale", self.embedding_scale, "positive")
        rate = self.embedding_dropout
        require(0 <= rate < 1, "din.embedding_dropout", rate, "a number in [0, 1)")
        for name in ("unit_hidden", "hidden"):
            widths = getattr(self, name)
            require(
                len(widths) > 0 and min(widths) > 0, f"din.{name}", widths, "one or more positive numbers"
            )


class DIN(nn.Module):
    r"""DIN (Zhou et al. 2018).

    $\mathrm{interest} = \sum_i a(q, h_i) h_i$, with $a$ the `ActivationUnit` of the candidate q on each event
    $h_i$ of the history; logit $= \mathrm{head}([q \| s_u \| q \circ s_u \| \mathrm{interest}])$, with $s_u$
    the mean of the history.

    Where the paper is silent, or differs from the authors' code: the softmax over the history (``softmax``,
    on as in the code), and $s_u$ and $q \circ s_u$ in the head, which are the code's.

    Shapes:
        group: B histories of up to L events, C candidates each.
        returns: logits (B, C); no extra loss.
    """

    def __init__(self, settings: DINSettings, shape: LogShape) -> None:
        super().__init__()
        self.loss_weights: dict[str, float] = {}
        self.dropout = settings.embedding_dropout
        self.nodes = NodeEmbedding(shape.sizes, settings.embedding_width, settings.embedding_scale)
        width = self.nodes.width
        self.attention = ActivationUnit(width, settings.unit_hidden, softmax=settings.softmax)
        inputs = 4 * width
        self.users = None
        if settings.user_embedding:
            self.users = EmbeddingTable(shape.sizes.users, settings.embedding_width, settings.embedding_scale)
            inputs += settings.embedding_width
        self.head = PredictionHead(inputs, settings.hidden)

    def forward(self, group: Group) -> Output:
        """Score the candidates of each group."""
        history, candidates = (dropout(part, self.dropout, self.training) for part in self.nodes(group))
        others = [] if self.users is None else [self.users(group.user)[:, None]]
        return Output(attended_score(self.attention, self.head, candidates, history, group, others), {})
