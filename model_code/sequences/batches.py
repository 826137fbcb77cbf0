"""Batches of groups, gathered by index from a log that lies on the training device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from model_code.groups import UNKNOWN, Group, VocabularySizes
from model_code.sequences.data import Samples, SequenceData, take
from model_code.sequences.forgetting import Forgetting
from model_code.sequences.hashing import Stream, permuted
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

    position: Tensor  # (B,)
    user: Tensor  # (B,) user rows
    history_start: Tensor  # (B,)
    history_end: Tensor  # (B,)

    @classmethod
    def of(cls, samples: Samples, device: torch.device) -> SampleTensors:
        """Move samples to a device."""
        arrays = (getattr(samples, name) for name in cls._fields)
        return cls(*(torch.from_numpy(array).to(device) for array in arrays))

    def take(self, rows: Tensor) -> SampleTensors:
        """Select samples."""
        return SampleTensors(*(take(array, rows) for array in self))


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
    # A model of shorter histories than the log was prepared for sees the most recent events.
    length = (samples.history_end - samples.history_start).clamp(max=log.max_length)
    slot = torch.arange(log.max_length, dtype=length.dtype, device=length.device)
    valid = slot < length[:, None]
    # Empty slots repeat a history's last event, there being none after the log's last.
    event = torch.minimum(slot, length[:, None] - 1) + (samples.history_end - length)[:, None]
    events = torch.cat([event, candidate], dim=1)  # one pass over both, so that they are treated alike
    item, category, user = take(log.item, events), take(log.category, events), take(log.user, samples.user)
    known_item, known_category = item < log.sizes.items, category < log.sizes.categories
    known_user = torch.ones_like(valid[:, 0])
    if forgetting is not None:
        known_item &= ~forgetting.items(samples.position, item)
        known_category &= ~forgetting.categories(samples.position, category)
        known_user &= ~forgetting.users(samples.position, user)
    item, category, user = (
        # where(known, code, UNKNOWN), the least of all codes, without the branches that it takes on a CPU
        (code * known).clamp_(min=UNKNOWN)
        for code, known in ((item, known_item), (category, known_category), (user, known_user))
    )
    return Group(
        history_item=(item[:, : log.max_length] * valid).long(),  # PADDING is 0
        history_category=(category[:, : log.max_length] * valid).long(),
        length=length.long(),
        candidate_item=item[:, log.max_length :].long(),
        candidate_category=category[:, log.max_length :].long(),
        user=user.long(),
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
        for chunk in self._order(number):
            drawn, filled = self.sampler.draw(chunk, number)
            kept = filled.nonzero().squeeze(1)
            rows = torch.cat([rows, chunk[kept]])
            negatives = torch.cat([negatives, drawn[kept]])
            self.dropped += len(chunk) - len(kept)
            skipped = min(skip, len(rows))
            skip -= skipped
            end = skipped + (len(rows) - skipped) // size * size
            yield from self._batches(rows[skipped:end], negatives[skipped:end], number)
            rows, negatives = rows[end:], negatives[end:]
        yield from self._batches(rows, negatives, number)

    def _order(self, number: int) -> Iterator[Tensor]:
        """Iterate over the samples of a pass, in chunks."""
        count, device = len(self.samples.position), self.samples.position.device
        done, end = number * self.samples_per_epoch, (number + 1) * self.samples_per_epoch
        while done < end:
            index, start = divmod(done, count)
            place = torch.arange(start, min(start + _CHUNK, start + end - done, count))
            yield permuted(place, count, Stream.PERMUTATION, self.seed, index).to(device)
            done += len(place)

    def _nothing(self) -> tuple[Tensor, Tensor]:
        positions = self.samples.position
        return positions.new_empty(0, dtype=torch.int64), positions.new_empty(0, self.sampler.count)

    def _batches(self, rows: Tensor, negatives: Tensor, epoch: int) -> Iterator[Group]:
        samples = self.samples.take(rows)
        candidate = torch.cat([samples.position[:, None], negatives], dim=1)
        forgetting = Forgetting(*self.rates, seed=self.seed, epoch=epoch)
        return split(gather(self.resident, samples, candidate, forgetting), self.groups_per_batch)


def scoring_rows(samples: Samples, limit: int | None, seed: int) -> Tensor:
    """Return the (ascending) indices of the samples to score: all, or a seeded subset of ``limit``."""
    if limit is None or limit >= len(samples):
        return torch.arange(len(samples))
    return permuted(torch.arange(limit), len(samples), Stream.SUBSET, seed).sort().values


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
        candidate = torch.cat([samples.position[:, None], negatives.index_select(0, rows)], dim=1)
        on_device = SampleTensors(*(array.to(device) for array in samples))
        yield from split(gather(resident, on_device, candidate.to(device)), groups_per_batch)


def split(group: Group, size: int) -> Iterator[Group]:
    """Cut B groups into batches of ``size``, the last one with what is left."""
    if len(group.user):
        yield from map(Group._make, zip(*(field.split(size) for field in group), strict=True))
