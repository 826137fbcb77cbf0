"""Batches of groups, gathered by index from a log that lies on the training device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from model_code.groups import PADDING, UNKNOWN, Group, VocabularySizes
from model_code.sequences.data import Samples, SequenceData
from model_code.sequences.forgetting import Forgetting
from model_code.sequences.hashing import Stream, generator
from model_code.sequences.negatives import NegativeSampler

_CHUNK = 8192  # groups drawn and gathered at once: some hundred batches share the cost of each operation


@dataclass(frozen=True, eq=False)
class ResidentLog:
    """The events of a log as tensors on one device."""

    item: Tensor  # (n,) int32 identity codes
    category: Tensor  # (n,) int32 identity codes
    user: Tensor  # (users,) int32 vocabulary ids
    sizes: VocabularySizes
    max_length: int

    @classmethod
    def of(cls, data: SequenceData, device: torch.device | str = "cpu") -> ResidentLog:
        """Move a log to a device; on the CPU the arrays are shared with ``data``."""
        item, category, user = (
            torch.from_numpy(array).to(device) for array in (data.item, data.category, data.user)
        )
        return cls(item, category, user, data.sizes, data.settings.max_length)


class SampleTensors(NamedTuple):
    """Samples on a device."""

    position: Tensor  # (B,) int64
    user: Tensor  # (B,) user rows
    history_start: Tensor  # (B,) int64
    history_end: Tensor  # (B,) int64

    @classmethod
    def of(cls, samples: Samples, device: torch.device) -> SampleTensors:
        """Move samples to a device."""
        arrays = (getattr(samples, name) for name in cls._fields)
        return cls(*(torch.from_numpy(array).to(device) for array in arrays))

    def take(self, rows: Tensor) -> SampleTensors:
        """Select samples."""
        return SampleTensors(*(array[rows] for array in self))


def gather(
    log: ResidentLog, samples: SampleTensors, candidate: Tensor, forgetting: Forgetting | None = None
) -> Group:
    """Collect the histories and candidates of B samples.

    Args:
        log: the events.
        samples: B targets.
        candidate: (B, C) event positions.
        forgetting: applied to histories, candidates and users alike; None where groups are scored.

    Returns:
        The groups with int64 ids; histories have ``log.max_length`` slots whatever they hold, since finding
        the longest would make the host wait for the device.
    """
    slot = torch.arange(log.max_length, device=log.item.device)
    # A model of shorter histories than the log was prepared for sees the most recent events.
    start = torch.maximum(samples.history_start, samples.history_end - log.max_length)
    length = samples.history_end - start
    valid = slot < length[:, None]
    event = torch.where(valid, start[:, None] + slot, 0)
    events = torch.cat([event, candidate], dim=1)  # one pass over both, so that they are treated alike
    item, category, user = log.item[events].long(), log.category[events].long(), log.user[samples.user].long()
    if forgetting is not None:
        item = forgetting.items(samples.position, item)
        category = forgetting.categories(samples.position, category)
        user = forgetting.users(samples.position, user)
    item = torch.where(item < log.sizes.items, item, UNKNOWN)
    category = torch.where(category < log.sizes.categories, category, UNKNOWN)
    return Group(
        history_item=torch.where(valid, item[:, : log.max_length], PADDING),
        history_category=torch.where(valid, category[:, : log.max_length], PADDING),
        length=length.long(),
        candidate_item=item[:, log.max_length :],
        candidate_category=category[:, log.max_length :],
        user=user,
    )


class FitBatches:
    """Passes over the samples of a part, with fresh negatives and unknown ids in each.

    Passes walk through an endless sequence of permutations of the samples, ``samples_per_epoch`` of them a
    pass: each sample comes once before any comes twice. Every pass is a pure function of the seed and
    its number. Candidate 0 of a group is the positive. Groups that cannot be filled are dropped, and later
    ones take their places: all batches but a pass's last one are full.
    """

    def __init__(
        self,
        data: SequenceData,
        resident: ResidentLog,
        part: str = "fit",
        *,
        groups_per_batch: int,
        seed: int,
        unknown_rate: float = 0.1,
        unknown_category_rate: float = 0.01,
        samples_per_epoch: int | None = None,
    ) -> None:
        """Move the samples to the device of ``resident``.

        Args:
            data: the log.
            resident: the same log on the device.
            part: the part to pass over.
            groups_per_batch: B.
            seed: of order, negatives and unknown ids.
            unknown_rate: the probability with which an item of a group, and its user, turns unknown.
            unknown_category_rate: the same of a category.
            samples_per_epoch: samples in a pass; None, or more than there are, takes all.
        """
        self.samples = SampleTensors.of(data.parts[part], resident.item.device)
        self.sampler = NegativeSampler.of(data, part, resident.item, seed)
        self.resident = resident
        self.groups_per_batch = groups_per_batch
        self.seed = seed
        self.rates = (unknown_rate, unknown_category_rate, unknown_rate)
        self.samples_per_epoch = min(samples_per_epoch or len(data.parts[part]), len(data.parts[part]))
        self._last_round = (-1, torch.empty(0, dtype=torch.int64))  # its number and order
        self.dropped = 0  # groups of the pass begun last that could not be filled, so far

    @property
    def batches_per_epoch(self) -> int:
        """Batches in a pass that drops no group, the most there can be."""
        return -(-self.samples_per_epoch // self.groups_per_batch)

    def epoch(self, number: int, start_batch: int = 0) -> Iterator[Group]:
        """Iterate over pass ``number``, from 0, leaving out the first ``start_batch`` batches."""
        self.dropped = 0
        size = self.groups_per_batch
        skip = start_batch * size
        rows, negatives = self._nothing()
        for chunk in self._order(number).to(self.samples.position.device).split(_CHUNK):
            drawn, filled = self.sampler.draw(chunk, number)
            rows = torch.cat([rows, chunk[filled]])
            negatives = torch.cat([negatives, drawn[filled]])
            self.dropped += len(chunk) - len(drawn[filled])
            skipped = min(skip, len(rows))
            skip -= skipped
            end = skipped + (len(rows) - skipped) // size * size
            yield from self._batches(rows[skipped:end], negatives[skipped:end], number)
            rows, negatives = rows[end:], negatives[end:]
        yield from self._batches(rows, negatives, number)

    def _order(self, number: int) -> Tensor:
        """Return the samples of a pass, (samples_per_epoch,), on the CPU."""
        index, start = divmod(number * self.samples_per_epoch, len(self.samples.position))
        order = self._round(index)[start : start + self.samples_per_epoch]
        missing = self.samples_per_epoch - len(order)
        return torch.cat([order, self._round(index + 1)[:missing]]) if missing else order

    def _round(self, index: int) -> Tensor:
        """Return a permutation of all samples; the last one is kept, for the short passes that share it."""
        if self._last_round[0] != index:
            source = generator(Stream.PERMUTATION, self.seed, index)
            self._last_round = index, torch.randperm(len(self.samples.position), generator=source)
        return self._last_round[1]

    def _nothing(self) -> tuple[Tensor, Tensor]:
        rows = self.samples.position.new_empty(0)
        return rows, rows.new_empty(0, self.sampler.count)

    def _batches(self, rows: Tensor, negatives: Tensor, epoch: int) -> Iterator[Group]:
        samples = self.samples.take(rows)
        candidate = torch.cat([samples.position[:, None], negatives], dim=1)
        forgetting = Forgetting(*self.rates, seed=self.seed, epoch=epoch)
        return split(gather(self.resident, samples, candidate, forgetting), self.groups_per_batch)


def scoring_rows(samples: Samples, limit: int | None, seed: int) -> Tensor:
    """Return the (ascending) indices of the samples to score: all, or a seeded subset of ``limit``."""
    if limit is None or limit >= len(samples):
        return torch.arange(len(samples))
    order = torch.randperm(len(samples), generator=generator(Stream.SUBSET, seed))
    return order[:limit].sort().values


def scoring_batches(
    data: SequenceData, resident: ResidentLog, part: str, groups_per_batch: int, limit: int | None = None
) -> Iterator[Group]:
    """Iterate over a part's groups with their stored negatives, nothing turned unknown, the positive first.

    Groups come in the order of ``scoring_rows(data.parts[part], limit, data.settings.seed)``.
    """
    stored = data.parts[part]
    if stored.negatives is None:
        raise ValueError(f"the negatives of part {part!r} are not stored; score 'validation' or 'test'")
    device = resident.item.device
    everything = SampleTensors.of(stored, torch.device("cpu"))
    negatives = torch.from_numpy(stored.negatives)
    chunk = max(1, _CHUNK // groups_per_batch) * groups_per_batch
    for rows in scoring_rows(stored, limit, data.settings.seed).split(chunk):
        samples = everything.take(rows)
        candidate = torch.cat([samples.position[:, None], negatives[rows]], dim=1)
        on_device = SampleTensors(*(array.to(device) for array in samples))
        yield from split(gather(resident, on_device, candidate.to(device)), groups_per_batch)


def split(group: Group, size: int) -> Iterator[Group]:
    """Cut B groups into batches of ``size``, the last one with what is left."""
    for start in range(0, len(group.user), size):
        yield Group(*(field[start : start + size] for field in group))
