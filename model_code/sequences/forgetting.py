"""Ids that turn unknown in fitting: else the vectors of "unknown" would never be trained."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from model_code.groups import UNKNOWN
from model_code.sequences.hashing import Stream, counter_hash, happens


class Forgetting(NamedTuple):
    """The rates at which ids of a group turn unknown, and the seed of the choice.

    The choice is a pure function of (seed, epoch, target, id): all occurrences of an id in a group share
    one fate.
    """

    item_rate: float
    category_rate: float
    user_rate: float
    seed: int
    epoch: int

    def items(self, position: Tensor, item: Tensor) -> Tensor:
        """Replace items; ``position`` (B,) is of the targets, ``item`` (B, ...)."""
        return self._forget(Stream.UNKNOWN_ITEM, self.item_rate, position[:, None], item)

    def categories(self, position: Tensor, category: Tensor) -> Tensor:
        """Replace categories, likewise."""
        return self._forget(Stream.UNKNOWN_CATEGORY, self.category_rate, position[:, None], category)

    def users(self, position: Tensor, user: Tensor) -> Tensor:
        """Replace users (B,)."""
        return self._forget(Stream.UNKNOWN_USER, self.user_rate, position, user)

    def _forget(self, stream: Stream, rate: float, position: Tensor, code: Tensor) -> Tensor:
        hashed = counter_hash(stream, self.seed, self.epoch, position, code)
        return torch.where(happens(hashed, rate), UNKNOWN, code)
