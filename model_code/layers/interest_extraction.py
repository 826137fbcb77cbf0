"""Interests of a user with respect to a candidate (Eq. 13)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from model_code.kernels.library import LANES, call, ready, require_fit
from model_code.layers.initialisation import xavier
from model_code.layers.packing import Packing

SLOPE = 0.01
_leaky_relu_backward = torch.ops.aten.leaky_relu_backward.grad_input


class InterestExtraction(nn.Module):
    r"""K attentions over the history, each a two-layer network ``2d -> d -> 1``:

    $$v^k = \sum_i \alpha^k_i h^*_i, \qquad
      \alpha^k_i = \mathrm{softmax}_i\; w_k \cdot \mathrm{LeakyReLU}(W_k [h^*_i \| h_t] + b_k) \tag{13}$$

    Where the paper is silent: the softmax over the valid positions (Eq. 13 shows none; "attention" and "soft
    clustering" imply it). It makes a bias after $w_k$ idle, so there is none.

    $W_k [h^*_i \| h_t] = A_k h^*_i + B_k h_t$: the two terms are computed once a position and once a
    candidate, and only their sum is formed for each pair.

    Shapes:
        nodes: (..., B, L, d), refined histories; the leading axes are views of them.
        candidates: (B, C, d).
        returns: V (..., B, C, K, d).
    """

    def __init__(self, width: int, interests: int) -> None:
        super().__init__()
        self.interests = interests
        # W_k of all k, one below the other: the left half is A, the right half is B.
        self.hidden = xavier(interests * width, 2 * width, inputs=2 * width, outputs=width)
        self.hidden_bias = nn.Parameter(torch.zeros(interests * width))
        self.score = xavier(interests, 1, width, inputs=width, outputs=1)

    def forward(self, nodes: Tensor, candidates: Tensor, packing: Packing) -> Tensor:
        """Extract the K interests of each candidate: (..., B, C, K, d)."""
        if nodes.shape[-1] % LANES == 0 and ready(nodes, self.hidden):
            require_fit(packing.mask.shape == nodes.shape[-3:-1], packing.mask, nodes)
            views = nodes.reshape(-1, *nodes.shape[-3:])
            fused: Tensor = _Extraction.apply(
                packing.lengths, views, candidates, self.hidden, self.hidden_bias, self.score
            )
            return fused.view(*nodes.shape[:-2], -1, *self.score.shape[::2])
        of_node, of_candidate = self.hidden.chunk(2, 1)
        position = F.linear(packing.pack(nodes), of_node)  # (..., P, K d)
        candidate = F.linear(candidates, of_candidate, self.hidden_bias)  # (B, C, K d)
        views = position.view(-1, *position.shape[-2:])
        pairs: Tensor = _PairScores.apply(packing, views, candidate, torch.block_diag(*self.score))
        alpha = packing.softmax(pairs.flatten(-2)).view(*nodes.shape[:-1], -1)  # (..., B, L, C K)
        interests: Tensor = (alpha.mT @ nodes).unflatten(-2, (-1, self.interests))
        return interests


class _Extraction(torch.autograd.Function):
    """All of it, group by group in a core's cache; see ``kernels/interest_extraction.c``."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        lengths: Tensor,  # (B,) int64
        nodes: Tensor,  # (views, B, L, d)
        candidates: Tensor,  # (B, C, d)
        hidden: Tensor,
        bias: Tensor,
        score: Tensor,
    ) -> Tensor:
        # The kernel checks nothing.
        same = len(lengths) == nodes.shape[1] == len(candidates)
        require_fit(same and nodes.shape[-1] == candidates.shape[-1] == score.shape[-1], nodes, candidates)
        inputs = [value.contiguous() for value in (lengths, nodes, candidates, hidden, bias, score)]
        threads, pairs = torch.get_num_threads(), candidates.shape[1] * len(score)
        ctx.sizes = (threads, *nodes.shape[:3], candidates.shape[1], len(score), nodes.shape[3], SLOPE)
        alpha = nodes.new_zeros(*nodes.shape[:2], pairs, nodes.shape[2])
        vectors = nodes.new_zeros(*nodes.shape[:2], pairs, nodes.shape[3])
        call("interest_extraction", *ctx.sizes, *inputs, alpha, vectors)
        ctx.save_for_backward(*inputs, alpha)
        return vectors

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        _, nodes, candidates, *weights, _ = ctx.saved_tensors
        of_inputs = [torch.zeros_like(nodes), torch.zeros_like(candidates)]
        of_weights = [weight.new_zeros(ctx.sizes[0], *weight.shape) for weight in weights]
        call(
            "interest_extraction_backward",
            *ctx.sizes,
            *ctx.saved_tensors,
            gradient.contiguous(),
            *of_inputs,
            *of_weights,
        )
        return None, *of_inputs, *(weight.sum(0) for weight in of_weights)


class _PairScores(torch.autograd.Function):
    """Scores (views, P, C, K) of all (position, candidate) pairs, with a backward pass of its own.

    The sums of a position's and a candidate's share would be the largest tensors of the model, (P, C, K d) a
    view. They are formed some positions at a time, in memory that a core's cache holds, and again in the
    backward pass: cheaper than to keep them.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        packing: Packing,
        position: Tensor,  # (views, P, K d)
        candidate: Tensor,  # (B, C, K d)
        score: Tensor,  # (K, K d), each w_k at its place
    ) -> Tensor:
        ctx.packing = packing
        ctx.save_for_backward(position, candidate, score)
        scores = position.new_empty(*position.shape[:2], candidate.shape[1], len(score))
        for chunk, view, hidden in _hidden(packing, position, candidate):
            torch.mm(hidden.flatten(0, 1), score.t(), out=scores[view, chunk].flatten(0, 1))
        return scores

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        packing: Packing = ctx.packing
        position, candidate, score = ctx.saved_tensors
        of_position, of_candidate = torch.empty_like(position), torch.zeros_like(candidate)
        of_score, gradient = torch.zeros_like(score), gradient.contiguous()
        memory = gradient.new_empty(0)
        for chunk, view, hidden in _hidden(packing, position, candidate):
            pairs = gradient[view, chunk].flatten(0, 1)
            of_score.addmm_(pairs.t(), hidden.flatten(0, 1))
            upper = torch.mm(pairs, score, out=memory.resize_(len(pairs), score.shape[1])).view_as(hidden)
            _leaky_relu_backward(upper, hidden, SLOPE, True, grad_input=upper)
            torch.sum(upper, 1, out=of_position[view, chunk])
            packing.collect_into(of_candidate, upper, chunk)
        return None, of_position, of_candidate, of_score


def _hidden(packing: Packing, position: Tensor, candidate: Tensor) -> Iterator[tuple[slice, int, Tensor]]:
    """LeakyReLU of the sums, (n, C, K d) for n positions of a view at a time; the memory is used again."""
    for chunk in packing.chunks(candidate[0].numel()):
        spread = packing.spread(candidate, chunk)
        memory = torch.empty_like(spread)
        for view, shares in enumerate(position):
            hidden = torch.add(spread, shares[chunk, None], out=memory)
            yield chunk, view, F.leaky_relu_(hidden, SLOPE)
