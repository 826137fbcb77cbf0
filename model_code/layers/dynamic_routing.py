"""Dynamic routing: which capsule each event of a history speaks for, found by agreement."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Routing(NamedTuple):
    """What routing finds."""

    capsules: Tensor  # u, (B, K, d), each shorter than 1
    weights: Tensor  # w, (B, K, L); sums to 1 over K at an event, 0 at padding


def squash(vectors: Tensor) -> Tensor:
    r"""Shorten to less than 1, the direction kept: $\frac{|z|^2}{1 + |z|^2} \frac{z}{|z|}$, 0 at 0.

    As $z \cdot |z| / (1 + |z|^2)$, which has nothing to divide by 0, forwards or backwards.
    """
    norm = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    squashed: Tensor = vectors * (norm / (1 + norm.square()))
    return squashed


def route(votes: Tensor, logits: Tensor, mask: Tensor, iterations: int) -> Routing:
    r"""Route the events of each history to K capsules (Sabour et al. 2017; Li et al. 2019, Algorithm 1).

    With $\hat u_{ki}$ the vote of event i for capsule k and $b_{ki}$ the logits, in each iteration

    $$w_{ki} = \mathrm{softmax}_k\, b_{ki}, \qquad u_k = \mathrm{squash}\Big(\sum_i w_{ki} \hat u_{ki}\Big),
      \qquad b_{ki} \leftarrow b_{ki} + u_k \cdot \hat u_{ki}$$

    with i over the valid events. The softmax is over the capsules: an event divides itself among them. The
    gradient passes through the sum and the squash of the last iteration only, not through the weights.

    No tensor of size (B, K, L, d) is made here: votes that all capsules share come once.

    Shapes:
        votes: (B, L, d), shared by the capsules, or (B K, L, d), those of a history's capsules one after the
            other; any strides.
        logits: initial, of (B, K, L) or what broadcasts to it, (K, L) or (K, 1).
        mask: (B, L), true at events.
        returns: capsules (B, K, d), 0 for an empty history, and weights (B, K, L).
    """
    valid = mask[:, None].to(votes.dtype)
    size = (mask.shape[0], logits.shape[-2], mask.shape[1])
    per_vote = (votes.shape[0], -1, size[2])  # K capsules on a history's shared votes, or each on its own
    with torch.no_grad():
        for _ in range(iterations - 1):
            weights = (logits.softmax(-2) * valid).expand(size)
            capsules = squash(weights.reshape(per_vote) @ votes)
            logits = logits + (capsules @ votes.mT).view(size)
        weights = (logits.softmax(-2) * valid).expand(size)
    capsules = squash(weights.reshape(per_vote) @ votes)
    return Routing(capsules.view(*size[:2], -1), weights)
