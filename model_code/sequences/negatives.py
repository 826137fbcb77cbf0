"""Negatives: other targets' events, drawn as a pure function of (seed, epoch, target, draw number)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_code.kernels import library
from model_code.sequences.data import Indices, Samples, SequenceData, index_type, period, take
from model_code.sequences.hashing import Stream, below, counter_hash
from model_code.sequences.settings import NegativeSampling
from model_code.threads import in_threads

_DRAWS = (1.5, 8)  # for each negative wanted: enough for nearly all groups; after which one is given up
_USERS = 1 << 12  # whose events are sorted at once
_CHUNK = 1 << 20  # targets looked through at once
MOST_BY_KERNEL = 4096  # negatives of a group: the kernel keeps their items on a thread's stack


@dataclass(frozen=True, eq=False)
class NegativeSampler:
    """Draws the negatives of one part's targets, on the device of its tensors.

    Block b holds the samples from ``sample_bounds[b]`` to ``sample_bounds[b + 1]``, and their negatives are
    drawn uniformly from the events ``pool[pool_bounds[b]:pool_bounds[b + 1]]``. A draw is rejected when the
    user has its item anywhere in the part's period, the target itself included, or when an earlier draw
    for the group had the same item. A group's negatives are its first k draws that are not rejected, so
    they depend on no batch size, chunk, worker or device.
    """

    position: Tensor  # (m,) the targets
    user: Tensor  # (m,) their user rows
    sample_bounds: Tensor  # (blocks + 1,)
    pool: Tensor  # (p,) event positions
    pool_item: Tensor  # (p,) the identity codes of their items
    pool_bounds: Tensor  # (blocks + 1,)
    owned: Tensor  # items of the period's events, each user's sorted
    owned_bounds: Tensor  # (users + 1,) those of user row u are [u] to [u + 1]
    most_owned: int  # the length of the longest of these ranges
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
        sample_bounds, pool, pool_bounds = _pools(
            samples, data.item, data.identities, data.settings.negative_sampling
        )
        owned, owned_bounds = _owned(data, part)

        def on_device(array: NDArray[Any]) -> Tensor:
            return torch.from_numpy(array).to(item.device)

        events = on_device(pool)
        return cls(
            position=on_device(samples.position),
            user=on_device(samples.user),
            sample_bounds=on_device(sample_bounds),
            pool=events,
            pool_item=take(item, events),
            pool_bounds=on_device(pool_bounds),
            owned=on_device(owned),
            owned_bounds=on_device(owned_bounds),
            most_owned=int(np.diff(owned_bounds).max()),
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
        few, most = (math.ceil(rate * self.count) for rate in _DRAWS)
        if self._kernel_fits:
            return self._draw_by_kernel(rows, epoch, most)
        negatives, filled = self._draw(rows, epoch, few)
        short = (~filled).nonzero().squeeze(1)
        if len(short):
            negatives[short], filled[short] = self._draw(rows[short], epoch, most)
        return negatives, filled

    @property
    def _kernel_fits(self) -> bool:
        """Whether the kernel reads tensors of these types, on this device, and such groups."""
        narrow = (self.position, self.user, self.pool, self.pool_item, self.owned, self.owned_bounds)
        types = [tensor.dtype for tensor in (*narrow, self.sample_bounds, self.pool_bounds)]
        fit = types == [torch.int32] * len(narrow) + [torch.int64] * 2 and self.count <= MOST_BY_KERNEL
        return fit and self.pool.device.type == "cpu" and library.ready()

    def _draw_by_kernel(self, rows: Tensor, epoch: int, draws: int) -> tuple[Tensor, Tensor]:
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < len(self.position):
            raise IndexError(f"some of the rows are none of the {len(self.position)} samples")
        negatives = torch.zeros(len(rows), self.count, dtype=torch.int32)
        filled = torch.empty(len(rows), dtype=torch.bool)
        blocks = (len(self.sample_bounds) - 1, self.sample_bounds)
        pools = (self.pool_bounds, self.pool, self.pool_item)
        samples = (self.position, self.user, self.owned, self.owned_bounds)
        state = int(counter_hash(Stream.NEGATIVE, self.seed, epoch))
        outputs = (negatives, filled, torch.get_num_threads())
        library.call(
            "draw_negatives",
            len(rows),
            rows.long().contiguous(),
            *blocks,
            *pools,
            *samples,
            self.count,
            draws,
            state,
            *outputs,
        )
        return negatives, filled

    def _draw(self, rows: Tensor, epoch: int, draws: int) -> tuple[Tensor, Tensor]:
        # Tables are (draws, B): what compares a group's draws with each other then runs along whole rows.
        block = torch.searchsorted(self.sample_bounds, rows, right=True) - 1
        start, end = take(self.pool_bounds, block), take(self.pool_bounds, block + 1)
        target = take(self.position, rows)  # unlike a sample's index, never the same in two parts
        number = torch.arange(draws, device=rows.device)[:, None]
        hashed = counter_hash(Stream.NEGATIVE, self.seed, epoch, target, number)
        place = start + below(hashed, end - start)
        drawn, item = take(self.pool, place), take(self.pool_item, place)
        accepted = ~(_seen_before(item) | self._owns(take(self.user, rows), item))
        rank = accepted.cumsum(0)
        # The r-th accepted draw goes to row r - 1; all else goes to one more row, cut off.
        row = torch.where(accepted & (rank <= self.count), rank - 1, self.count)
        negatives = drawn.new_zeros(self.count + 1, len(rows)).scatter_(0, row, drawn)
        return negatives[:-1].T, rank[-1] >= self.count

    def _owns(self, user: Tensor, item: Tensor) -> Tensor:
        """Return whether users (B,) have items (draws, B): a binary search in each user's own range."""
        place = take(self.owned_bounds, user)
        length = take(self.owned_bounds, user + 1) - place  # at least 1: users have their targets
        for _ in range((self.most_owned - 1).bit_length()):
            half = length >> 1
            place = place + half * (take(self.owned, place + half) <= item)
            length = length - half
        return take(self.owned, place.expand_as(item)) == item


def _pools(
    samples: Samples, item: NDArray[np.int32], identities: int, sampling: NegativeSampling
) -> tuple[NDArray[np.int64], Indices, NDArray[np.int64]]:
    """Return sample bounds, pool and pool bounds."""
    if sampling == "block_popularity":
        return samples.block_offsets, samples.position, samples.block_offsets
    whole = np.array([0, len(samples)])
    if sampling == "period_popularity":
        return whole, samples.position, whole
    first = np.full(identities, -1, dtype=samples.position.dtype)
    for start in reversed(range(0, len(samples), _CHUNK)):  # backwards, so that the first event stays
        chunk = samples.position[start : start + _CHUNK][::-1]
        first[item[chunk]] = chunk
    pool = first[first >= 0]
    return whole, pool, np.array([0, len(pool)])


def _owned(data: SequenceData, part: str) -> tuple[NDArray[np.int32], Indices]:
    """Return the items of the events in a part's period, each user's sorted, and the bounds of the users."""
    first, end = period(data.manifest, part)
    own = _own_by_kernel if library.ready() else _own
    owned = np.empty(len(data.item), dtype=np.int32)  # what is not filled takes no memory

    def of_users(start: int) -> tuple[NDArray[np.int64], slice]:
        """How many items some users own; puts them where the users' events begin, and says where that is."""
        offsets = data.user_offsets[start : start + _USERS + 1]
        counts, items = own(offsets, data, first, end)
        there = slice(offsets[0], offsets[0] + len(items))
        owned[there] = items
        return counts, there

    counts, places = zip(*in_threads(of_users, range(0, len(data.user), _USERS)), strict=True)
    filled = 0
    for place in places:
        moved = slice(filled, filled + place.stop - place.start)
        owned[moved], filled = owned[place], moved.stop
    bounds = np.zeros(len(data.user) + 1, dtype=index_type(len(owned)))
    np.cumsum(np.concatenate(counts), out=bounds[1:])
    return owned[:filled], bounds


def _own(
    offsets: NDArray[np.int64], data: SequenceData, first: int, end: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return how many items each of some users has in a period, and the items, each user's sorted."""
    events = slice(offsets[0], offsets[-1])
    inside = (data.timestamp[events] >= first) & (data.timestamp[events] < end)
    user = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))[inside]
    key = np.sort(user * data.identities + data.item[events][inside])
    return np.bincount(user, minlength=len(offsets) - 1), (key % data.identities).astype(np.int32)


def _own_by_kernel(
    offsets: NDArray[np.int64], data: SequenceData, first: int, end: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Do as `_own`."""
    counts = np.empty(len(offsets) - 1, dtype=np.int64)
    owned, spare = (np.empty(size, np.int32) for size in (offsets[-1] - offsets[0], np.diff(offsets).max()))
    log = offsets, data.timestamp, data.item
    library.call("own_items", len(counts), *log, first, end, counts, owned, spare)
    return counts, owned[: counts.sum()]


def _seen_before(values: Tensor) -> Tensor:
    """Return (D, B) bool: whether a value stands further up in its column, too."""
    seen = torch.zeros_like(values, dtype=torch.bool)
    for step in range(1, len(values)):
        seen[step:] |= values[step:] == values[:-step]
    return seen
