"""Targets, their histories, and blocks of targets close in time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_code.events.split import PARTS
from model_code.kernels.library import call, ready
from model_code.sequences.data import Indices, Samples, index_type, period
from model_code.sequences.settings import SequenceSettings
from model_code.threads import in_threads

_EVENTS = 1 << 17  # about as many at once: what is on the way to a result then stays in the processor's cache
_BUCKET = 1 << 14  # targets, of a stretch of time, about as many in each: they fit into a cache
_BUCKET_BITS = 12  # of the number of buckets, at most: more would be too many to write to
_MOST_RECORDS = 1 << 24  # of targets, 16 bytes each, on the way from the log to their samples
_TIME_BITS = 32  # of a time within its bucket, at most


def make_samples(
    timestamp: NDArray[np.int64],
    user_offsets: NDArray[np.int64],
    cuts: dict[str, int],
    settings: SequenceSettings,
    folder: Path,
) -> dict[str, Samples]:
    """Make one sample of each event that has a strictly earlier event of its user.

    Args:
        timestamp: (n,) of the events, sorted by (user, timestamp, item).
        user_offsets: (users + 1,) the users' ranges of events.
        cuts: ``validation_timestamp`` and ``split_timestamp``, where a part ends and the next one starts.
        settings: for ``max_length`` and ``negative_block``.
        folder: where to make a folder for each part.

    Returns:
        The samples of each part, without negatives, in its folder.
    """
    lowest, highest = (int(end(timestamp)) if len(timestamp) else 0 for end in (np.min, np.max))
    index = index_type(len(timestamp))
    samples = {}
    for part in PARTS:
        first, end = period(cuts, part)
        times = max(first, lowest), min(end - 1, highest)
        fits = index is np.int32 and times[1] - times[0] < 1 << (_BUCKET_BITS + _TIME_BITS) and ready()
        find = _targets_by_kernel if fits else _targets
        create = partial(_create, folder / part, index, settings.negative_block)
        samples[part] = find(timestamp, user_offsets, *times, settings.max_length, create)
    return samples


def _targets(
    timestamp: NDArray[np.int64],
    user_offsets: NDArray[np.int64],
    earliest: int,
    latest: int,
    longest: int,
    create: Callable[[int], Samples],
) -> Samples:
    """Fill the samples that ``create`` makes with the targets from one timestamp to another."""

    def of_users(rows: tuple[int, int]) -> tuple[NDArray[Any], ...]:
        offsets = user_offsets[rows[0] : rows[1] + 1]
        time, counts = timestamp[offsets[0] : offsets[-1]], np.diff(offsets)
        start, end = np.repeat(offsets[:-1], counts), run_starts(time, offsets - offsets[0]) + offsets[0]
        chosen = np.flatnonzero((end > start) & (time >= earliest) & (time <= latest))
        user = np.repeat(np.arange(*rows, dtype=np.int32), counts)
        columns = chosen + offsets[0], np.maximum(start, end - longest)[chosen], end[chosen]
        position, first, last = (column.astype(index) for column in columns)
        return position, user[chosen], first, last

    index = index_type(len(timestamp))
    found = in_threads(of_users, user_ranges(user_offsets))
    columns = [*map(np.concatenate, zip(*found, strict=True))]
    del found
    # They are in order of (user, timestamp, item): those of one timestamp stay as they are.
    order = np.argsort(timestamp[columns[0]], kind="stable")
    samples = create(len(order))
    for place, column in zip(_columns(samples), columns, strict=True):
        place[:] = column[order]
    return samples


def _targets_by_kernel(
    timestamp: NDArray[np.int64],
    user_offsets: NDArray[np.int64],
    earliest: int,
    latest: int,
    longest: int,
    create: Callable[[int], Samples],
) -> Samples:
    """Do as `_targets`: each target goes to its bucket of time, and each bucket is sorted in the cache."""
    ranges = user_ranges(user_offsets)
    span = max(0, latest - earliest).bit_length()
    bucket_bits = max(span - _TIME_BITS, min(_BUCKET_BITS, (len(timestamp) // _BUCKET).bit_length()))
    bits = max(0, span - bucket_bits)  # of time within a bucket
    counts = np.zeros((len(ranges), 1 << bucket_bits), dtype=np.int64)

    def collect(first: int, last: int, places: NDArray[np.int64], records: NDArray[np.int32] | int) -> None:
        def of_users(piece: int) -> None:
            log = user_offsets, timestamp, first, last
            call("collect_targets", *ranges[piece], *log, bits, places[piece], records)

        in_threads(of_users, range(len(ranges)))

    collect(earliest, latest, counts, 0)
    samples = create(int(counts.sum()))
    rounds = _rounds(counts.sum(axis=0))
    spare = np.empty((max((len(rows) for _, rows in rounds), default=0), 4), dtype=np.int32)
    for buckets, rows in rounds:
        # Each range of users has places of its own in each bucket: no thread waits, and their order is kept.
        own = counts[:, buckets.start : buckets.stop]
        ends = np.cumsum(own.T).reshape(own.T.shape).T
        first, end = (earliest + (bucket << bits) for bucket in (buckets.start, buckets.stop))
        collect(first, min(end - 1, latest), np.ascontiguousarray(ends - own), spare)
        columns = [column[rows.start : rows.stop] for column in _columns(samples)]
        _order(spare, [0, *ends[-1].tolist()], bits, user_offsets, longest, columns)
    return samples


def _rounds(sizes: NDArray[np.int64]) -> list[tuple[range, range]]:
    """Cut buckets of so many records into runs of which each has few enough; the runs, and their records."""
    ends = np.cumsum(sizes)
    rounds, bucket, record = [], 0, 0
    while record < ends[-1]:
        end = max(bucket + 1, int(np.searchsorted(ends, record + _MOST_RECORDS, side="right")))
        rounds.append((range(bucket, end), range(record, int(ends[end - 1]))))
        bucket, record = end, int(ends[end - 1])
    return rounds


def _order(
    records: NDArray[np.int32],
    ends: list[int],
    bits: int,
    user_offsets: NDArray[np.int64],
    longest: int,
    columns: list[Indices],
) -> None:
    """Sort buckets of records, which lie between ``ends``, into columns."""

    def order(bounds: tuple[int, int]) -> None:
        bucket = records[slice(*bounds)]
        ordered = [column[slice(*bounds)] for column in columns]
        spare = np.empty_like(bucket)
        call("order_targets", len(bucket), bits, bucket, spare, user_offsets, longest, *ordered)

    in_threads(order, pairwise(sorted({*ends})))


def _create(folder: Path, index: type[np.generic], block: int, count: int) -> Samples:
    return Samples.create(folder, index, cut_blocks(count, block))


def _columns(samples: Samples) -> tuple[Indices, ...]:
    return samples.position, samples.user, samples.history_start, samples.history_end


def user_ranges(user_offsets: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return ranges of user rows that have about as many events each as should be worked on at once."""
    starts = np.arange(0, user_offsets[-1], _EVENTS)
    inner = np.searchsorted(user_offsets, starts[1:]).tolist()
    users = len(user_offsets) - 1
    return [*pairwise([0, *sorted({*inner} - {0, users}), users])]


def run_starts(timestamp: NDArray[np.int64], user_offsets: NDArray[np.int64]) -> Indices:
    """Return for each event the index of the first event of its user at the same timestamp, (n,)."""
    starts = np.ones(len(timestamp), dtype=bool)
    starts[1:] = timestamp[1:] != timestamp[:-1]
    starts[user_offsets[:-1]] = True
    latest = np.arange(len(timestamp), dtype=index_type(len(timestamp)))
    latest[~starts] = 0
    return np.maximum.accumulate(latest, out=latest)


def cut_blocks(count: int, size: int) -> NDArray[np.int64]:
    """Cut ``count`` samples into round(count / size) blocks, at least one, of sizes that differ by at most 1.

    Returns:
        (blocks + 1,) offsets.
    """
    blocks = max(1, round(count / size))
    return np.arange(blocks + 1, dtype=np.int64) * count // blocks
