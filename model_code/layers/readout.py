"""One vector of a user out of several, as a candidate asks for it."""

from __future__ import annotations

import torch
from torch import Tensor


def label_aware_attention(interests: Tensor, queries: Tensor, power: float) -> Tensor:
    r"""MIND's readout: $\sum_k \mathrm{softmax}_k(p\, v_k \cdot q)\, v_k$.

    With p = 0 all interests count alike; the larger p, the more the one nearest to the query alone.

    Where the paper differs: it raises $v_k \cdot q$ to the power p, which is undefined for a negative product
    and any p that is not whole. A factor has the same limits.

    Shapes:
        interests: V (B, K, d).
        queries: (B, C, d).
        returns: (B, C, d).
    """
    weights = (power * (queries @ interests.mT)).softmax(-1)  # (B, C, K)
    return weights @ interests


def hard_readout(interests: Tensor, queries: Tensor) -> Tensor:
    r"""ComiRec's readout: the $v_k$ of the largest $v_k \cdot q$, the first of equals.

    The gradient passes to the interest that is chosen.

    Shapes:
        interests: V (B, K, d).
        queries: (B, C, d).
        returns: (B, C, d).
    """
    chosen = (queries.detach() @ interests.detach().mT).argmax(-1, keepdim=True)  # (B, C, 1)
    # A product, as the backward pass of an indexing would add up in any order on a GPU.
    one = chosen == torch.arange(interests.shape[1], device=interests.device)
    return one.to(interests.dtype) @ interests
