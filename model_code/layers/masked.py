"""Softmax and mean over the valid entries only."""

from __future__ import annotations

import torch
from torch import Tensor


def masked_softmax(scores: Tensor, mask: Tensor, dim: int = -1) -> Tensor:
    """Softmax over the entries where ``mask`` is true; 0 elsewhere, and everywhere if no entry is valid.

    Args:
        scores: any shape.
        mask: bool; broadcast against ``scores``.
        dim: the axis to normalise over.
    """
    # The lowest finite number and not -inf, whose softmax over no valid entry (and its gradient) is NaN.
    lowest = torch.finfo(scores.dtype).min
    return torch.where(mask, scores, lowest).softmax(dim) * mask


def masked_mean(vectors: Tensor, mask: Tensor) -> Tensor:
    """Mean of the vectors (B, L, d) where ``mask`` (B, L) is true: (B, d), 0 if it nowhere is."""
    weights = mask.to(vectors.dtype)
    total = (weights[:, None] @ vectors).squeeze(1)
    return total / weights.sum(1, keepdim=True).clamp(min=1)
