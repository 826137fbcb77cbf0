"""Tables of vectors, looked up by id."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from model_code.groups import PADDING
from model_code.layers.gathering import Rows, gather


class EmbeddingTable(nn.Embedding):
    """A vector for each id, N(0, scale^2) at first; that of padding is zero and stays so.

    ``reader``, when set, finds rows to look up in training mode in place of the weights: an optimizer that
    updates only the rows that are looked up brings them up to date first (`model_code.training.row_adam`).

    Shapes:
        ids: (...) int64.
        returns: (..., width).
    """

    def __init__(self, rows: int, width: int, scale: float) -> None:
        weight = torch.empty(rows, width).normal_(0, scale)
        weight[PADDING] = 0
        super().__init__(rows, width, padding_idx=PADDING, _weight=weight)
        self.reader: Callable[[Tensor], Rows] | None = None

    def forward(self, ids: Tensor) -> Tensor:
        """Look up."""
        if self.training and self.reader is not None:
            found, _ = gather([self.reader(ids.flatten())], ids.numel())
            return found.view(*ids.shape, self.embedding_dim)
        return super().forward(ids)

    def rows(self, ids: Tensor) -> Rows:
        """What `gather` needs to look up ids (count,)."""
        if self.training and self.reader is not None:
            return self.reader(ids)
        return Rows(self.weight, ids.long(), PADDING)

    @property
    def watched(self) -> bool:
        """Whether someone wants to see what `forward` returns."""
        return bool(self._forward_hooks)
