"""DIN: deep interest network (KDD 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from model_code.groups import Group, LogShape, Output
from model_code.kernels.library import call, ready, require_fit
from model_code.layers.activation_unit import ActivationUnit
from model_code.layers.dropout import dropout
from model_code.layers.embedding_table import EmbeddingTable
from model_code.layers.head_inputs import head_inputs
from model_code.layers.node_embedding import NodeEmbedding
from model_code.layers.prediction_head import PredictionHead, moments, threads_for
from model_code.settings import require, settings


def _sizes(width: int, biases: Sequence[Tensor | None]) -> tuple[int, list[int]]:
    """The number of layers behind an input of that width, and the widths of it and of them."""
    return len(biases), [width, *(len(bias) for bias in biases if bias is not None)]


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
        mask = group.mask
        interest = self.attention(candidates, history, mask)  # (B, C, d)
        others = [interest]
        if self.users is not None:
            others.append(self.users(group.user)[:, None])
        return Output(self.head(head_inputs(candidates, history, mask, others)), {})

    def _is_one_call(self, rows: int) -> bool:
        plain = (
            self.training and self.dropout == 0 and self.users is None and type(self).forward is DIN.forward
        )
        of_unit = (weight for weight in self.attention.network() if weight is not None)
        return plain and self.nodes.has_kernel() and self.head.has_kernel(rows) and ready(*of_unit)

    def gradients(self, group: Group) -> Tensor | None:
        """See `OwnGradients`: one kernel does all of it, unless there is dropout or a vector of the user."""
        (groups, count), slots = group.candidate_item.shape, group.history_item.shape[1]
        if not self._is_one_call(groups * count):
            return None
        tables, unit, (norms, head) = self.nodes.rows(group), self.attention.network(), self.head.network()
        absent = torch.empty(0)  # no memory: NULL
        values, places = [table.values for table in tables], [table.places for table in tables]
        fit = all(len(each) == groups * (slots + count) for each in places)
        require_fit(fit and group.length.shape == (groups,), *group)
        weights = [*values, *(absent if weight is None else weight for weight in unit), *head]
        of_weights = [torch.empty_like(weight) for weight in weights]
        cuts = slice(len(values)), slice(len(values), -len(head)), slice(-len(head), None)
        of_tables, of_unit, of_head = ((weights[cut], of_weights[cut]) for cut in cuts)
        sizes, widths = zip(*(table.shape for table in values), strict=True)
        paddings = [-1 if table.padding is None else table.padding for table in tables]
        loss, inside = torch.empty(()), torch.empty(1, dtype=torch.int64)
        call(
            "din_gradients",
            *(groups, count, slots, group.length.long().clamp(0, slots)),
            *(len(tables), sizes, widths, places, paddings, *of_tables),
            *(*_sizes(self.nodes.width, unit[1:-1:2]), *of_unit, self.attention.softmax),
            *(*_sizes(4 * self.nodes.width, head[1:-2:3]), *of_head, *moments(norms)),
            *(threads_for(groups * count, head[0]), loss, inside, torch.get_num_threads()),
        )
        if not inside:
            raise IndexError(f"an id is negative, or too large for tables of {list(sizes)} rows")
        for weight, gradient in zip((*values, *unit, *head), of_weights, strict=True):
            if weight is not None and weight.requires_grad:
                weight.grad = gradient
        return loss
