"""DIEN: deep interest evolution network (AAAI 2019)."""

from __future__ import annotations

from torch import nn

from model_code.groups import Group, LogShape, Output
from model_code.layers.activation_unit import ActivationUnit
from model_code.layers.augru import AUGRU, Form
from model_code.layers.embedding_table import EmbeddingTable
from model_code.layers.gru import GRU
from model_code.layers.head_inputs import head_inputs
from model_code.layers.initialisation import linear
from model_code.layers.node_embedding import NodeEmbedding
from model_code.layers.prediction_head import PredictionHead
from model_code.settings import require, settings


@settings
class DIENSettings:
    """Settings of DIEN.

    Attributes:
        embedding_width: of each feature; item vectors are twice as wide.
        embedding_scale: standard deviation of the initial embeddings.
        augru: how attention enters the update gate: as in the "paper", or as in the "official" code.
        unit_hidden: widths of the hidden layers of the activation unit.
        hidden: widths of the hidden layers of the head.
        user_embedding: let the head read a vector of the user as well.
    """

    embedding_width: int = 16
    embedding_scale: float = 0.1
    augru: Form = "paper"
    unit_hidden: tuple[int, ...] = (80, 40)
    hidden: tuple[int, ...] = (200, 80)
    user_embedding: bool = False

    def __post_init__(self) -> None:
        require(self.embedding_width > 0, "dien.embedding_width", self.embedding_width, "a positive number")
        require(self.embedding_scale > 0, "dien.embedding_scale", self.embedding_scale, "positive")
        require(self.augru in ("paper", "official"), "dien.augru", self.augru, "'paper' or 'official'")
        for name in ("unit_hidden", "hidden"):
            widths = getattr(self, name)
            require(
                len(widths) > 0 and min(widths) > 0, f"dien.{name}", widths, "one or more positive numbers"
            )


class DIEN(nn.Module):
    r"""DIEN (Zhou et al. 2019), without the auxiliary loss.

    $g = \mathrm{GRU}(h)$ over the history, once for all candidates (`GRU`). For each candidate q then the
    weights $a$ that DIN's unit, with a softmax, gives the $g_t$ for $\mathrm{PReLU}(W q + b)$
    (`ActivationUnit`), and $h_T = \mathrm{AUGRU}(g, a)$, the state after the last event (`AUGRU`);
    logit $= \mathrm{head}([q \| s_u \| q \circ s_u \| h_T])$, with $s_u$ the mean of the history.

    Where the paper is silent, or differs from the authors' code:
        - the attention is the code's; the paper's is bilinear, $\mathrm{softmax}_t(g_t W q)$;
        - the PReLU has a slope for each unit, 0.1 at the start, as in the code;
        - ``augru`` chooses between the two forms of the attentional gate. In the code the reset gate acts
          before the product with the last state, and the biases of the gates start at 1: here it acts after
          it, as in the paper, and they start at 0;
        - $s_u$ and $q \circ s_u$ in the head are the code's, but there $s_u$ is a sum;
        - there is no auxiliary loss on the next click of each event.

    Shapes:
        group: B histories of up to L events, C candidates each.
        returns: logits (B, C); no extra loss.
    """

    def __init__(self, settings: DIENSettings, shape: LogShape) -> None:
        super().__init__()
        self.loss_weights: dict[str, float] = {}
        self.nodes = NodeEmbedding(shape.sizes, settings.embedding_width, settings.embedding_scale)
        width = self.nodes.width
        self.gru = GRU(width)
        self.query = nn.Sequential(linear(width, width), nn.PReLU(width, init=0.1))
        self.attention = ActivationUnit(width, settings.unit_hidden, softmax=True)
        self.augru = AUGRU(width, settings.augru)
        inputs = 4 * width
        self.users = None
        if settings.user_embedding:
            self.users = EmbeddingTable(shape.sizes.users, settings.embedding_width, settings.embedding_scale)
            inputs += settings.embedding_width
        self.head = PredictionHead(inputs, settings.hidden)

    def forward(self, group: Group) -> Output:
        """Score the candidates of each group."""
        history, candidates = self.nodes(group)
        mask = group.mask
        states = self.gru(history, mask)  # (B, L, d)
        queries = self.query(candidates.flatten(0, 1)).view_as(candidates)
        attention = self.attention.weigh(queries, states, mask)  # (B, C, L)
        evolved = self.augru(states, attention, mask)  # (B, C, d)
        others = [evolved]
        if self.users is not None:
            others.append(self.users(group.user)[:, None])
        return Output(self.head(head_inputs(candidates, history, mask, others)), {})
