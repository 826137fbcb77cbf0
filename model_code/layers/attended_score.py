"""DIN behind its embeddings: a history as a candidate sees it, and what the head says to that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from model_code.groups import Group
from model_code.kernels import library
from model_code.layers.activation_unit import ActivationUnit, Interest
from model_code.layers.batch_norm import BatchNorm
from model_code.layers.head_inputs import HeadInputs, head_inputs
from model_code.layers.one_node import Tape
from model_code.layers.prediction_head import Network, PredictionHead


def attended_score(
    unit: ActivationUnit,
    head: PredictionHead,
    candidates: Tensor,
    history: Tensor,
    group: Group,
    others: Sequence[Tensor],
) -> Tensor:
    r"""$\mathrm{head}([q \| s_u \| q \circ s_u \| \mathrm{unit}(q, H) \| \ldots])$ of each candidate q.

    In training, where kernels do all of the work, it is one node of autograd.

    Args:
        unit: a candidate's attention on a history.
        head: what scores the result.
        candidates: (B, C, d).
        history: (B, L, d).
        group: whose they are.
        others: what follows, as in `head_inputs`.

    Returns:
        Logits (B, C).
    """
    groups, count, width = candidates.shape
    if library.ready(candidates, history, *others) and head.has_kernel(groups * count):
        fit = history.shape == (*group.history_item.shape, width) and len(history) == groups
        fit = fit and all(other.shape[:2] in ((groups, count), (groups, 1)) for other in others)
        library.require_fit(fit and unit.width == width, candidates, history, group.history_item, *others)
        norms, parameters = head.network()
        of_unit = unit.network()
        vectors = candidates, history, *others
        sizes = len(vectors), len(of_unit)
        logits: Tensor = _Score.apply(
            group.length.long(), unit.softmax, norms, sizes, *vectors, *of_unit, *parameters
        )
        return logits
    interest = unit(candidates, history, group.mask)
    scores: Tensor = head(head_inputs(candidates, history, group.mask, [interest, *others]))
    return scores


class _Score(Function):
    """`attended_score` by the kernels."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        lengths: Tensor,  # (B,) int64
        softmax: bool,
        norms: list[BatchNorm],
        sizes: tuple[int, int],  # how many of the tensors are vectors, and how many are the unit's
        *tensors: Tensor,
    ) -> Tensor:
        vectors, of_unit, of_head = _cut(tensors, sizes)
        candidates, history, *others = vectors
        ctx.sizes, ctx.tapes = sizes, (Tape(), Tape(), Tape())
        attention, reading, scoring = ctx.tapes
        interest, _ = Interest.forward(attention, candidates, history, None, lengths, softmax, True, *of_unit)
        inputs = HeadInputs.forward(reading, lengths, candidates, history, interest, *others)
        ctx.shape = inputs.shape
        return Network.forward(scoring, inputs.flatten(0, 1), norms, *of_head).view(inputs.shape[:2])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        attention, reading, scoring = ctx.tapes
        of_inputs, _, *of_head = Network.backward(scoring, gradient.flatten())
        of_inputs = of_inputs.view(ctx.shape)
        _, of_candidates, of_history, of_interest, *of_others = HeadInputs.backward(reading, of_inputs)
        again = Interest.backward(attention, of_interest, None)
        of_candidates += again[0]
        of_history += again[1]
        return None, None, None, None, of_candidates, of_history, *of_others, *again[6:], *of_head


def _cut(tensors: Sequence[Tensor], sizes: tuple[int, int]) -> tuple[Sequence[Tensor], ...]:
    """The vectors, the unit's parameters and the head's."""
    vectors, of_unit = sizes
    end = vectors + of_unit
    return tensors[:vectors], tensors[vectors:end], tensors[end:]
