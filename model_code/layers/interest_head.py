"""The end of a ranker that reads its user as one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model_code.layers.embedding_table import EmbeddingTable
from model_code.layers.prediction_head import PredictionHead


class InterestHead(nn.Module):
    r"""Logit $= \mathrm{head}([q \| v \| q \circ v])$ of a candidate q and the vector v of the user.

    With ``users`` the head reads the user id's own vector as well.

    Shapes:
        candidates: q (B, C, d).
        interest: v (B, C, d).
        user: (B,) int.
        returns: logits (B, C).
    """

    def __init__(self, width: int, hidden: tuple[int, ...], users: EmbeddingTable | None) -> None:
        super().__init__()
        self.users = users
        inputs = 3 * width + (users.embedding_dim if users is not None else 0)
        self.network = PredictionHead(inputs, hidden)

    def forward(self, candidates: Tensor, interest: Tensor, user: Tensor) -> Tensor:
        """Score the candidates of each group: (B, C)."""
        parts = [candidates, interest, candidates * interest]
        if self.users is not None:
            parts.append(self.users(user)[:, None].expand(-1, candidates.shape[1], -1))
        logits: Tensor = self.network(torch.cat(parts, -1))
        return logits
