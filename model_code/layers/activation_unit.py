"""DIN's attention of a candidate on a history."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from model_code.layers.initialisation import linear
from model_code.layers.packing import Packing

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input


class ActivationUnit(nn.Module):
    r"""Weight of each history event for a candidate (Zhou et al. 2018, Eq. 3).

    $a_i = f([q \| k_i \| q - k_i \| q \circ k_i])$, a network ``4d -> hidden -> 1`` with sigmoids between its
    layers; q is the candidate, $k_i$ the event. Padding has weight 0.

    With ``softmax`` the weights are normalised over the events, as in all of the authors' code; without, they
    are the scores themselves, as the paper says. The softmax makes the last bias idle, so it has none then.

    $W [q \| k \| q - k \| q \circ k] = (W_1 + W_3) q + (W_2 - W_3) k + W_4 (q \circ k)$, so that of the 4d
    inputs only the d of the product are formed for each pair.

    Shapes:
        queries: (B, C, d).
        keys: (P, d), packed.
        returns: weights (B, C, L).
    """

    def __init__(self, width: int, hidden: tuple[int, ...], *, softmax: bool) -> None:
        super().__init__()
        self.softmax = softmax
        self.first = linear(4 * width, hidden[0])
        self.others = nn.ModuleList(linear(a, b) for a, b in pairwise(hidden))
        self.score = linear(hidden[-1], 1, bias=not softmax)

    def forward(self, queries: Tensor, keys: Tensor, packing: Packing) -> Tensor:
        """Weigh the events for each candidate: (B, C, L)."""
        of_query, of_key, of_difference, of_product = self.first.weight.chunk(4, 1)
        query = F.linear(queries, of_query + of_difference, self.first.bias)
        key = F.linear(keys, of_key - of_difference)
        others = [parameter for layer in self.others for parameter in (layer.weight, layer.bias)]
        pairs: Tensor = _PairScores.apply(
            packing, queries, keys, query, key, of_product, *others, self.score.weight
        )
        if self.softmax:
            return packing.softmax(pairs).mT
        return packing.unpack(pairs + self.score.bias).mT * packing.mask[:, None]


class _PairScores(torch.autograd.Function):
    """Scores (P, C) of all (event, candidate) pairs, with a backward pass of its own.

    The tensors of P C rows are the largest of the model. Under autograd the formula would keep twice as many
    of them, and go over each more often.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        packing: Packing,
        queries: Tensor,  # (B, C, d)
        keys: Tensor,  # (P, d)
        query: Tensor,  # (B, C, hidden), the candidate's share of the first layer, with the bias
        key: Tensor,  # (P, hidden), the event's share
        of_product: Tensor,  # (hidden, d)
        *parameters: Tensor,  # weight and bias of each further layer, and the last one's weight
    ) -> Tensor:
        *others, last = parameters
        spread = packing.spread(queries)  # (P, C, d)
        products = (spread * keys[:, None]).flatten(0, 1)
        first = packing.spread(query).add_(key[:, None]).flatten(0, 1)
        layers = [first.addmm_(products, of_product.t()).sigmoid_()]
        for weight, bias in zip(others[::2], others[1::2], strict=True):
            layers.append(torch.addmm(bias, layers[-1], weight.t()).sigmoid_())
        ctx.packing = packing
        ctx.save_for_backward(spread, products, keys, of_product, *layers, *others[::2], last)
        return (layers[-1] @ last[0]).view(spread.shape[:2])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        packing: Packing = ctx.packing
        spread, products, keys, of_product, *rest = ctx.saved_tensors
        layers, weights = rest[: len(rest) // 2], rest[len(rest) // 2 :]
        pairs = gradient.flatten()
        of_parameters = [(pairs @ layers[-1])[None]]
        upper = torch.outer(pairs, weights[-1][0])  # gradient of a layer's outputs, then of its inputs
        for weight, output, below in zip(weights[-2::-1], layers[:0:-1], layers[-2::-1], strict=True):
            _sigmoid_backward(upper, output, grad_input=upper)
            of_parameters = [upper.t() @ below, upper.sum(0), *of_parameters]
            upper = upper @ weight
        _sigmoid_backward(upper, layers[0], grad_input=upper)
        of_products = (upper @ of_product).view_as(spread)
        of_first = upper.view(*spread.shape[:2], -1)  # (P, C, hidden)
        return (
            None,
            packing.collect(of_products * keys[:, None]),
            (of_products * spread).sum(1),
            packing.collect(of_first),
            of_first.sum(1),
            upper.t() @ products,
            *of_parameters,
        )
