"""Dropout that does not depend on how many processes share a batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from model_code.replicas import current


def dropout(vectors: Tensor, rate: float, training: bool) -> Tensor:
    r"""$v \circ m / (1 - \rho)$ with $m \sim \mathrm{Bernoulli}(1 - \rho)$ for each entry, in training only.

    The mask comes from torch's global generator, for the whole batch, whatever part of it is here.

    Shapes:
        vectors: (B, ...), a row a group.
        returns: the same.
    """
    if not training or rate == 0:
        return vectors
    shard = current(len(vectors))
    mask = F.dropout(torch.ones(shard.total, *vectors.shape[1:], device=vectors.device), rate)
    return vectors * mask[shard.start : shard.end].to(vectors.dtype)
