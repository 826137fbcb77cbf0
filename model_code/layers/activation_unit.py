"""DIN's attention of a candidate on a history."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from model_code.kernels import library
from model_code.layers.initialisation import linear
from model_code.layers.packing import Packing

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input


class ActivationUnit(nn.Module):
    r"""The history as a candidate sees it (Zhou et al. 2018, Eq. 3): $\sum_i a_i k_i$.

    The weight of an event is $a_i = f([q \| k_i \| q - k_i \| q \circ k_i])$, a network ``4d -> hidden -> 1``
    with sigmoids between its layers; q is the candidate, $k_i$ the event. Padding has weight 0.

    With ``softmax`` the weights are normalised over the events, as in all of the authors' code; without, they
    are the scores themselves, as the paper says. The softmax makes the last bias idle, so it has none then.

    $W [q \| k \| q - k \| q \circ k] = (W_1 + W_3) q + (W_2 - W_3) k + W_4 (q \circ k)$, so that of the 4d
    inputs only the d of the product are formed for each pair; the kernel forms none, see there.

    A query may also shift from event to event, $q + r_i$ in place of $q$: what the shifts change is known
    without the candidate (`offsets`), and is handed over.

    Shapes:
        queries: (B, C, d).
        history: (B, L, d), left-aligned.
        offsets: (P, hidden[0]) for the P events of all histories, packed; none unless queries shift.
        returns: (B, C, d); by `weigh`, the weights alone, (B, C, L).
    """

    def __init__(self, width: int, hidden: tuple[int, ...], *, softmax: bool) -> None:
        super().__init__()
        self.softmax = softmax
        self.first = linear(4 * width, hidden[0])
        self.others = nn.ModuleList(linear(a, b) for a, b in pairwise(hidden))
        self.score = linear(hidden[-1], 1, bias=not softmax)

    def forward(
        self, queries: Tensor, history: Tensor, mask: Tensor, offsets: Tensor | None = None
    ) -> Tensor:
        """Sum the events of each history as each candidate weighs them: (B, C, d)."""
        if library.ready(queries, history, self.first.weight):
            return self._by_kernel(queries, history, mask, offsets)[0]
        packing = Packing.of_mask(mask)
        return self.weights(queries, packing.pack(history), packing, offsets) @ history

    def weigh(self, queries: Tensor, history: Tensor, mask: Tensor) -> Tensor:
        """Weigh the events of each history for each candidate: (B, C, L), 0 at padding."""
        if library.ready(queries, history, self.first.weight):
            return self._by_kernel(queries, history, mask, None)[1]
        packing = Packing.of_mask(mask)
        return self.weights(queries, packing.pack(history), packing)

    def _by_kernel(
        self, queries: Tensor, history: Tensor, mask: Tensor, offsets: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        self._require_fit(queries, history, mask, offsets)
        result: tuple[Tensor, Tensor] = _Interest.apply(
            queries, history, offsets, mask.sum(1), self.softmax, torch.is_grad_enabled(), *self.network()
        )
        return result

    def network(self) -> list[Tensor | None]:
        """Weight and bias of each layer and of the score."""
        layers = (self.first, *self.others, self.score)
        return [parameter for layer in layers for parameter in (layer.weight, layer.bias)]

    def offsets(self, shifts: Tensor, keys: Tensor) -> Tensor:
        """What queries that shift add to the first layer's sums: (P, hidden[0]), for events packed (P, d).

        Event i is weighed by the query $q + r_i$, whichever candidate q is; ``shifts`` holds the r (P, d).
        """
        of_query, _, of_difference, of_product = self.first.weight.chunk(4, 1)
        return F.linear(shifts, of_query + of_difference) + F.linear(shifts * keys, of_product)

    def weights(
        self, queries: Tensor, keys: Tensor, packing: Packing, offsets: Tensor | None = None
    ) -> Tensor:
        """Weigh the events, packed (P, d), for each candidate: (B, C, L)."""
        of_query, of_key, of_difference, of_product = self.first.weight.chunk(4, 1)
        query = F.linear(queries, of_query + of_difference, self.first.bias)
        key = F.linear(keys, of_key - of_difference)
        if offsets is not None:
            key = key + offsets
        others = [parameter for layer in self.others for parameter in (layer.weight, layer.bias)]
        pairs: Tensor = _PairScores.apply(
            packing, queries, keys, query, key, of_product, *others, self.score.weight
        )
        if self.softmax:
            return packing.softmax(pairs).mT
        return packing.unpack(pairs + self.score.bias).mT * packing.mask[:, None]

    def _require_fit(self, queries: Tensor, history: Tensor, mask: Tensor, offsets: Tensor | None) -> None:
        """Check what the kernel does not."""
        first = self.first.weight
        fit = queries.shape[::2] == history.shape[::2] and mask.shape == history.shape[:2]
        library.require_fit(fit and first.shape[1] == 4 * queries.shape[2], queries, history, mask, first)
        if offsets is not None:
            library.require_fit(offsets.shape == (int(mask.sum()), len(first)), offsets, mask, first)


class _Interest(torch.autograd.Function):
    """The whole unit by the kernel: interests and weights."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        queries: Tensor,  # (B, C, d)
        history: Tensor,  # (B, L, d)
        offsets: Tensor | None,  # (P, hidden)
        lengths: Tensor,  # (B,) int64
        softmax: bool,
        kept: bool,  # whether a backward pass will want the hidden layers
        *parameters: Tensor | None,  # weight and bias of each layer and of the score
    ) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)  # the weights rarely have one
        queries, history = queries.contiguous(), history.contiguous()
        none = history.new_empty(0)  # no memory: NULL
        shifts = none if offsets is None else offsets.contiguous()
        layers = [none if values is None else values for values in parameters]
        groups, candidates, width = queries.shape
        slots, hidden = history.shape[1], [len(bias) for bias in layers[1:-1:2]]
        pairs = int(lengths.sum()) * candidates if kept else 0
        outputs = history.new_empty(pairs * sum(map(library.whole, hidden)))
        weights, interest = history.new_empty(groups, candidates, slots), torch.empty_like(queries)
        ctx.sizes, widths = (groups, candidates, slots), [width, *hidden]
        unit = *ctx.sizes, lengths, len(hidden), widths, layers, queries, history, shifts
        results = outputs, weights, interest
        library.call("activation_unit_forward", *unit, softmax, *results, torch.get_num_threads())
        ctx.softmax, ctx.absent = softmax, [values is None for values in (offsets, *parameters)]
        ctx.widths = widths
        ctx.save_for_backward(lengths, queries, history, shifts, outputs, weights, *layers)
        return interest, weights

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, of_interest: Tensor | None, of_weights: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        lengths, queries, history, shifts, outputs, weights, *layers = ctx.saved_tensors
        of_interest = torch.zeros_like(queries) if of_interest is None else of_interest.contiguous()
        of_weights = weights.new_empty(0) if of_weights is None else of_weights.contiguous()
        of_vectors = [torch.empty_like(values) for values in (queries, history, shifts)]
        of_layers = [torch.empty_like(values) for values in layers]
        library.call(
            "activation_unit_backward",
            *(*ctx.sizes, lengths, len(ctx.widths) - 1, ctx.widths, layers, queries, history, shifts),
            *(ctx.softmax, outputs, weights, of_interest, of_weights, of_layers, *of_vectors),
            torch.get_num_threads(),
        )
        *of_both, of_offsets = of_vectors
        optional = [
            None if absent else values
            for absent, values in zip(ctx.absent, (of_offsets, *of_layers), strict=True)
        ]
        return *of_both, optional[0], None, None, None, *optional[1:]


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
        of_first = upper.view(*spread.shape[:2], len(of_product))  # (P, C, hidden)
        return (
            None,
            packing.collect(of_products * keys[:, None]),
            (of_products * spread).sum(1),
            packing.collect(of_first),
            of_first.sum(1),
            upper.t() @ products,
            *of_parameters,
        )
