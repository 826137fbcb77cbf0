"""Ids that turn unknown in fitting: else the vectors of "unknown" would never be trained."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from model_code.sequences.hashing import Stream, happens, pairwise_hash


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
        """Return whether items (B, n) turn unknown in the groups of the targets at ``position`` (B,)."""
        return self._forgets(Stream.UNKNOWN_ITEM, self.item_rate, position[:, None], item)

    def categories(self, position: Tensor, category: Tensor) -> Tensor:
        """Return whether categories turn unknown, likewise."""
        return self._forgets(Stream.UNKNOWN_CATEGORY, self.category_rate, position[:, None], category)

    def users(self, position: Tensor, user: Tensor) -> Tensor:
        """Return whether the users (B,) turn unknown."""
        return self._forgets(Stream.UNKNOWN_USER, self.user_rate, position, user)

    def _forgets(self, stream: Stream, rate: float, position: Tensor, code: Tensor) -> Tensor:
        return happens(pairwise_hash(code, stream, self.seed, self.epoch, position), rate)
