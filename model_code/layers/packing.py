"""Histories of different lengths without their padding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from model_code.groups import Group

ALL = slice(None)
CACHED = 1 << 18  # numbers: 1 MiB of float32, what the caches of one or two cores hold


@dataclass(frozen=True, eq=False)
class Packing:
    """Lays the valid positions of B histories in a row, group after group: P of them, out of B x L slots.

    On the CPU padding is left out, so that no operation works on it. On other devices P is always B L: the
    number of valid positions is not known there without waiting for the device, and shapes that never change
    let a whole step be replayed. Operators do not see the difference.
    """

    mask: Tensor  # (B, L) bool, the valid slots
    slot: Tensor | None  # (P,) the slots kept, of B * L; None when all are
    group: Tensor | None  # (P,) the group of each; None when all are

    @classmethod
    def of(cls, group: Group) -> Packing:
        """The packing of a batch's histories."""
        return cls.of_mask(group.mask)

    @classmethod
    def of_mask(cls, mask: Tensor) -> Packing:
        """The packing of the slots that are valid, (B, L) bool."""
        if mask.device.type != "cpu":
            return cls(mask, None, None)
        slot = mask.flatten().nonzero().squeeze(1)
        return cls(mask, slot, slot // mask.shape[1])

    @property
    def lengths(self) -> Tensor:
        """How many slots of each group are valid (B,) int64; histories are left-aligned."""
        return self.mask.sum(1)

    def pack(self, vectors: Tensor) -> Tensor:
        """Leave out what is not valid: (..., B, L, d) -> (..., P, d)."""
        flat = vectors.flatten(-3, -2)
        return flat if self.slot is None else flat.index_select(-2, self.slot)

    def softmax(self, scores: Tensor) -> Tensor:
        """Softmax over the positions of each group: (..., P, n) -> (..., B, L, n), 0 at padding."""
        padded = self.unpack(scores, torch.finfo(scores.dtype).min)
        valid = self.mask[..., None].to(scores.dtype)
        if self.slot is None:
            padded = padded + (1 - valid) * torch.finfo(scores.dtype).min
        weights: Tensor = padded.softmax(-2) * valid
        return weights

    def unpack(self, vectors: Tensor, fill: float = 0.0) -> Tensor:
        """Undo `pack`, with ``fill`` where nothing was kept: (..., P, d) -> (..., B, L, d)."""
        if self.slot is not None:
            flat = vectors.new_full((*vectors.shape[:-2], self.mask.numel(), vectors.shape[-1]), fill)
            vectors = flat.index_copy(-2, self.slot, vectors)
        padded: Tensor = vectors.unflatten(-2, self.mask.shape)
        return padded

    def spread(self, vectors: Tensor, chunk: slice = ALL) -> Tensor:
        """Give each position what belongs to its group, as new memory: (B, ...) -> (P, ...).

        With ``chunk``, only those positions, which on devices other than the CPU are all.
        """
        if self.group is None:
            return vectors[:, None].expand(*self.mask.shape, *vectors.shape[1:]).flatten(0, 1)
        return vectors.index_select(0, self.group[chunk])

    def collect(self, vectors: Tensor) -> Tensor:
        """Sum over the positions of each group, the transpose of `spread`: (P, ...) -> (B, ...)."""
        return self.collect_into(vectors.new_zeros(len(self.mask), *vectors.shape[1:]), vectors)

    def collect_into(self, total: Tensor, vectors: Tensor, chunk: slice = ALL) -> Tensor:
        """Add what `collect` gives to ``total`` (B, ...); ``chunk`` as of `spread`."""
        if self.group is None:
            return total.add_(vectors.unflatten(0, self.mask.shape).sum(1))
        return total.index_add_(0, self.group[chunk], vectors)

    def chunks(self, numbers: int) -> Iterator[slice]:
        """Go over the positions some at a time, if each takes that many numbers.

        On devices other than the CPU all positions come at once.
        """
        if self.group is None:
            yield ALL
            return
        size = _cached(numbers)
        yield from (slice(start, start + size) for start in range(0, len(self.group), size))

    def by_length(self, numbers: int) -> Iterator[tuple[Tensor | None, int]]:
        """Go over the groups some at a time, those of similar length together.

        On devices other than the CPU all groups come at once, with ``None`` for their indices.

        Args:
            numbers: what one group takes.

        Yields:
            The groups (n,) and the length of the longest of their histories.
        """
        if self.group is None:
            yield None, self.mask.shape[1]
            return
        lengths, order = self.mask.sum(1).sort()
        size = _cached(numbers)
        for groups, longest in zip(order.split(size), lengths.split(size), strict=True):
            yield groups, max(1, int(longest[-1]))

    @staticmethod
    def take(values: Tensor, groups: Tensor | None) -> Tensor:
        """Some groups of (views, B, ...), as `by_length` names them."""
        return values if groups is None else values.index_select(1, groups)

    @staticmethod
    def put(values: Tensor, groups: Tensor | None, part: Tensor) -> None:
        """Write what belongs to some groups into (views, B, ...)."""
        if groups is None:
            values.copy_(part)
        else:
            values.index_copy_(1, groups, part)


def _cached(numbers: int) -> int:
    """How many of what takes that many numbers each a cache holds, one at least."""
    return max(1, CACHED // max(1, numbers))
