"""Mean over the valid entries only."""

from __future__ import annotations

from torch import Tensor


def masked_mean(vectors: Tensor, mask: Tensor) -> Tensor:
    """Mean of the vectors (B, L, d) where ``mask`` (B, L) is true: (B, d), 0 if it nowhere is."""
    weights = mask.to(vectors.dtype)
    total = (weights[:, None] @ vectors).squeeze(1)
    return total / weights.sum(1, keepdim=True).clamp(min=1)
