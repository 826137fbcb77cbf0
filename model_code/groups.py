"""What a model sees: one history and the candidates scored against it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

PADDING = 0  # id of an empty history slot
UNKNOWN = 1  # id of everything that the fit part does not hold


class Group(NamedTuple):
    """A batch of B groups, each a history of up to L events and C candidates.

    Histories are left-aligned: oldest first, padding id 0 at the end. Ids are vocabulary ids
    (0 pads, 1 is unknown).
    """

    history_item: Tensor  # (B, L) int
    history_category: Tensor  # (B, L) int
    length: Tensor  # (B,) int, number of valid history events
    candidate_item: Tensor  # (B, C) int
    candidate_category: Tensor  # (B, C) int
    user: Tensor  # (B,) int

    @property
    def mask(self) -> Tensor:
        """(B, L) bool, true where the history holds an event."""
        slots = torch.arange(self.history_item.shape[1], device=self.history_item.device)
        return slots < self.length[:, None]


class Output(NamedTuple):
    """What a model returns: a logit for each candidate, and extra losses by name (training mode only)."""

    logits: Tensor  # (B, C)
    losses: dict[str, Tensor]  # scalars


class VocabularySizes(NamedTuple):
    """Rows of the embedding tables, the ids 0 (padding) and 1 (unknown) included."""

    items: int
    categories: int
    users: int


class LogShape(NamedTuple):
    """What a model must know of a prepared log to be built."""

    sizes: VocabularySizes
    max_length: int  # longest history, n in the papers
    item_count: Tensor  # (sizes.items,) events of each item in the fit part; 0 for padding and unknown
