"""Negatives: other targets' events, drawn as a pure function of (seed, epoch, target, draw number)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_code.sequences.data import Samples, SequenceData
from model_code.sequences.hashing import Stream, below, counter_hash
from model_code.sequences.settings import NegativeSampling

_FIRST_DRAWS = 2  # draws for each negative wanted; enough for nearly all groups
_MOST_DRAWS = 8  # draws for each negative wanted before a group is given up


@dataclass(frozen=True, eq=False)
class NegativeSampler:
    """Draws the negatives of one part's targets, on the device of its tensors.

    Block b holds the samples from ``sample_bounds[b]`` to ``sample_bounds[b + 1]``, and their negatives are
    drawn uniformly from the events ``pool[pool_bounds[b]:pool_bounds[b + 1]]``. A draw is rejected when the
    user has its item anywhere in the part's period, the target itself included, or when an earlier draw
    for the group had the same item. A group's negatives are its first k draws that are not rejected, so
    they depend on no batch size, chunk, worker or device.
    """

    item: Tensor  # (n,) identity code of every event
    position: Tensor  # (m,) the targets
    user: Tensor  # (m,) their user rows
    sample_bounds: Tensor  # (blocks + 1,)
    pool: Tensor  # (p,) event positions
    pool_bounds: Tensor  # (blocks + 1,)
    owned: Tensor  # sorted keys, user row * identities + item, of the period's events
    identities: int
    count: int  # k, negatives in a group
    seed: int

    @classmethod
    def of(cls, data: SequenceData, part: str, item: Tensor, seed: int) -> NegativeSampler:
        """Make the sampler of a part.

        Args:
            data: the log.
            part: "fit", "validation" or "test".
            item: ``data.item`` on the device to draw on.
            seed: of the draws; each epoch has draws of its own.
        """
        samples = data.parts[part]
        sample_bounds, pool, pool_bounds = _pools(samples, data.item, data.settings.negative_sampling)
        events = data.events_in(part)
        owned = data.user_rows()[events].astype(np.int64)
        owned *= data.identities
        owned += data.item[events]
        owned.sort()

        def on_device(array: NDArray[Any]) -> Tensor:
            return torch.from_numpy(array).to(item.device)

        return cls(
            item=item,
            position=on_device(samples.position),
            user=on_device(samples.user),
            sample_bounds=on_device(sample_bounds),
            pool=on_device(pool),
            pool_bounds=on_device(pool_bounds),
            owned=on_device(owned),
            identities=data.identities,
            count=data.settings.negatives_per_positive,
            seed=seed,
        )

    def draw(self, rows: Tensor, epoch: int) -> tuple[Tensor, Tensor]:
        """Draw the negatives of some samples.

        Args:
            rows: (B,) int64 indices of samples of the part.
            epoch: the pass over the data, from 0; stored negatives are those of pass 0.

        Returns:
            (B, k) event positions, and (B,) bool, false where k items could not be found within 8 k draws;
            the positions of such a row mean nothing.
        """
        negatives, filled = self._draw(rows, epoch, _FIRST_DRAWS * self.count)
        short = (~filled).nonzero().squeeze(1)
        if len(short):
            negatives[short], filled[short] = self._draw(rows[short], epoch, _MOST_DRAWS * self.count)
        return negatives, filled

    def _draw(self, rows: Tensor, epoch: int, draws: int) -> tuple[Tensor, Tensor]:
        block = torch.searchsorted(self.sample_bounds, rows, right=True) - 1
        start, end = self.pool_bounds[block, None], self.pool_bounds[block + 1, None]
        target = self.position[rows, None]  # unlike a sample's index, never the same in two parts
        number = torch.arange(draws, device=rows.device)
        hashed = counter_hash(Stream.NEGATIVE, self.seed, epoch, target, number)
        drawn = self.pool[start + below(hashed, end - start)]  # (B, draws)
        item = self.item[drawn]
        accepted = ~(_seen_before(item) | self._owns(self.user[rows, None], item))
        rank = accepted.cumsum(1)
        # The r-th accepted draw goes to column r - 1; all else goes to one more column, cut off.
        column = torch.where(accepted & (rank <= self.count), rank - 1, self.count)
        negatives = drawn.new_zeros(len(rows), self.count + 1).scatter_(1, column, drawn)
        return negatives[:, :-1], rank[:, -1] >= self.count

    def _owns(self, user: Tensor, item: Tensor) -> Tensor:
        key = user.long() * self.identities + item
        place = torch.searchsorted(self.owned, key).clamp_(max=len(self.owned) - 1)
        return self.owned[place] == key


def _pools(
    samples: Samples, item: NDArray[np.int32], sampling: NegativeSampling
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return sample bounds, pool and pool bounds."""
    if sampling == "block_popularity":
        return samples.block_offsets, samples.position, samples.block_offsets
    whole = np.array([0, len(samples)])
    if sampling == "period_popularity":
        return whole, samples.position, whole
    _, first = np.unique(item[samples.position], return_index=True)
    pool = samples.position[first]
    return whole, pool, np.array([0, len(pool)])


def _seen_before(values: Tensor) -> Tensor:
    """Return (B, D) bool: whether a value stands further left in its row, too."""
    ordered, order = values.sort(dim=1, stable=True)
    repeats = torch.zeros_like(ordered, dtype=torch.bool)
    repeats[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    return torch.empty_like(repeats).scatter_(1, order, repeats)
