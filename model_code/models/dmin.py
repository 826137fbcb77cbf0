"""DMIN: deep multi-interest network (CIKM 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model_code.groups import Group, LogShape, Output
from model_code.layers.behaviour_refiner import BehaviourRefiner
from model_code.layers.embedding_table import EmbeddingTable
from model_code.layers.head_inputs import head_inputs
from model_code.layers.interest_heads import InterestHeads
from model_code.layers.next_item_loss import NextItemLoss
from model_code.layers.node_embedding import NodeEmbedding
from model_code.layers.packing import Packing
from model_code.layers.positioned_unit import PositionedUnit
from model_code.layers.prediction_head import PredictionHead
from model_code.settings import require, settings


@settings
class DMINSettings:
    """Settings of DMIN.

    Attributes:
        embedding_width: of each feature; item vectors are twice as wide.
        embedding_scale: standard deviation of the initial embeddings, those of the positions included.
        heads: of both self-attentions, and so the number of interests.
        position_width: of the position embedding that the attention units' queries read.
        unit_hidden: widths of the hidden layers of the attention units.
        hidden: widths of the hidden layers of the head.
        next_item: weight of the auxiliary next-item loss; 0 leaves it out.
        next_item_hidden: widths of the hidden layers of its network.
        user_embedding: let the head read a vector of the user as well.
    """

    embedding_width: int = 16
    embedding_scale: float = 0.1
    heads: int = 4
    position_width: int = 2
    unit_hidden: tuple[int, ...] = (80, 40)
    hidden: tuple[int, ...] = (200, 80)
    next_item: float = 1.0
    next_item_hidden: tuple[int, ...] = (100, 50)
    user_embedding: bool = False

    def __post_init__(self) -> None:
        for name in ("embedding_width", "heads", "position_width"):
            value = getattr(self, name)
            require(value > 0, f"dmin.{name}", value, "a positive number")
        width = 2 * self.embedding_width
        require(width % self.heads == 0, "dmin.heads", self.heads, f"a divisor of the item width, {width}")
        require(self.embedding_scale > 0, "dmin.embedding_scale", self.embedding_scale, "positive")
        for name in ("unit_hidden", "hidden", "next_item_hidden"):
            widths = getattr(self, name)
            positive = len(widths) > 0 and min(widths) > 0
            require(positive, f"dmin.{name}", widths, "one or more positive numbers")
        require(self.next_item >= 0, "dmin.next_item", self.next_item, "0 or more")


class DMIN(nn.Module):
    r"""DMIN (Xiao et al. 2020).

    $Z = \mathrm{refiner}(H)$ (`BehaviourRefiner`); $I_1, \dots, I_4 = \mathrm{heads}(Z)$, versions of the
    history (`InterestHeads`); $\mathrm{interest}_k = \sum_i a_k(q, p_i, I_{ki}) I_{ki}$ with the position's
    vector $p_i$ (`PositionedUnit`); logit
    $= \mathrm{head}([q \| s_u \| q \circ s_u \| \mathrm{interest}_1 \| \dots \| \mathrm{interest}_4])$, with
    $s_u$ the mean of the history. In training, $z_t$ has to tell $e_{t+1}$ from a negative (`NextItemLoss`).

    Where the paper is silent, or differs from the authors' code:
        - the position's vector is appended to the candidate's and both are mapped to the width of the keys,
          linearly, as in the code (its PReLU there is commented out); so a position shifts the query. The
          table of positions is one for all heads; each head has its own map and unit. Positions count from
          the oldest event;
        - the units' weights go through a softmax, as in the code;
        - Q has a bias, as in the code; those that the code gives to K and V change nothing
          (`CausalAttention`). Scores are over $\sqrt{d_h}$, as usual; the code's are over $\sqrt d$, which
          learned Q and K make up for;
        - the feed-forward networks have ReLU, a residual and no normalisation behind them, as in the code;
          LayerNorm's epsilon is PyTorch's (the code has 1e-8). There is no dropout;
        - masks: attention looks back only; left-aligned histories need no more. The code has no more either;
        - the auxiliary loss reads the refiner's output, and the embeddings of the next item, without stopping
          their gradient. Its mean is over the pairs that there are; the code's is over padding as well. Its
          network has one logit, the difference of the code's two, and no batch normalisation, which in the
          code never leaves its initial state;
        - the auxiliary negatives are the group's own, taken in turn; the code draws some for each position;
        - the history summary is the mean where the code has the sum, as in the other models here; the user
          id's vector is a setting.

    Shapes:
        group: B histories of up to L events, C candidates each; candidate 0 is the positive in training.
        returns: logits (B, C); in training the loss "next_item", unless its weight is 0.
    """

    def __init__(self, settings: DMINSettings, shape: LogShape) -> None:
        super().__init__()
        weight = settings.next_item
        self.loss_weights: dict[str, float] = {"next_item": weight} if weight > 0 else {}
        scale, heads = settings.embedding_scale, settings.heads
        self.nodes = NodeEmbedding(shape.sizes, settings.embedding_width, scale)
        width = self.nodes.width
        self.refiner = BehaviourRefiner(width, heads)
        self.next_item = NextItemLoss(width, settings.next_item_hidden) if weight > 0 else None
        self.heads = InterestHeads(width, heads)
        self.positions = nn.Parameter(torch.randn(shape.max_length, settings.position_width) * scale)
        self.units = nn.ModuleList(
            PositionedUnit(width, settings.position_width, settings.unit_hidden) for _ in range(heads)
        )
        inputs = (3 + heads) * width
        self.users = None
        if settings.user_embedding:
            self.users = EmbeddingTable(shape.sizes.users, settings.embedding_width, scale)
            inputs += settings.embedding_width
        self.head = PredictionHead(inputs, settings.hidden)

    def forward(self, group: Group) -> Output:
        """Score the candidates of each group."""
        history, candidates = self.nodes(group)
        packing = Packing.of(group)
        mask = packing.mask
        refined = self.refiner(packing.pack(history), packing)  # (P, d)
        losses: dict[str, Tensor] = {}
        if self.training and self.next_item is not None:
            states = packing.unpack(refined)
            losses["next_item"] = self.next_item(states, history, candidates[:, 1:], mask)

        places = packing.pack(self.positions[: history.shape[1]].expand(history.shape[0], -1, -1))
        interests = [
            unit(candidates, sequence, places, packing)
            for unit, sequence in zip(self.units, self.heads(refined, packing), strict=True)
        ]
        others = interests
        if self.users is not None:
            others.append(self.users(group.user)[:, None])
        return Output(self.head(head_inputs(candidates, history, mask, others)), losses)
