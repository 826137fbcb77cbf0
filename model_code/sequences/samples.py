"""Targets, their histories, and blocks of targets close in time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from model_code.events.split import PARTS
from model_code.sequences.data import Indices, Samples, index_type, period
from model_code.sequences.settings import SequenceSettings
from model_code.threads import in_threads, pieces

_EVENTS = 1 << 17  # about as many at once: what is on the way to a result then stays in the processor's cache


def make_samples(
    timestamp: NDArray[np.int64],
    user_offsets: NDArray[np.int64],
    cuts: dict[str, int],
    settings: SequenceSettings,
) -> dict[str, Samples]:
    """Make one sample of each event that has a strictly earlier event of its user.

    Args:
        timestamp: (n,) of the events, sorted by (user, timestamp, item).
        user_offsets: (users + 1,) the users' ranges of events.
        cuts: ``validation_timestamp`` and ``split_timestamp``, where a part ends and the next one starts.
        settings: for ``max_length`` and ``negative_block``.

    Returns:
        The samples of each part, without negatives.
    """
    user = np.empty(len(timestamp), dtype=np.int32)
    history_end = np.empty(len(timestamp), dtype=index_type(len(timestamp)))

    def targets(rows: tuple[int, int]) -> list[Indices]:
        """The positions of some users' targets by part; puts down the users and where histories end."""
        offsets = user_offsets[rows[0] : rows[1] + 1]
        events = slice(offsets[0], offsets[-1])
        counts, time = np.diff(offsets), timestamp[events]
        user[events] = np.repeat(np.arange(*rows, dtype=np.int32), counts)
        ends = run_starts(time, offsets - offsets[0])
        history_end[events] = ends + offsets[0]
        has_history = ends > np.repeat((offsets[:-1] - offsets[0]).astype(ends.dtype), counts)
        inside = [has_history & (time >= first) & (time < end) for first, end in periods]
        return [(np.flatnonzero(chosen) + offsets[0]).astype(history_end.dtype) for chosen in inside]

    periods = [period(cuts, part) for part in PARTS]
    found = in_threads(targets, user_ranges(user_offsets))
    positions = map(np.concatenate, zip(*found, strict=True))
    ordered = [_in_time_order(position, timestamp) for position in positions]
    del found

    def sample(position: Indices) -> Samples:
        rows, starts, ends = (np.empty(len(position), dtype) for dtype in (np.int32, *[position.dtype] * 2))

        def fill(piece: slice) -> None:
            rows[piece], ends[piece] = user[position[piece]], history_end[position[piece]]
            starts[piece] = np.maximum(user_offsets[rows[piece]], ends[piece] - settings.max_length)

        in_threads(fill, pieces(len(position), _EVENTS))
        return Samples(position, rows, starts, ends, cut_blocks(len(position), settings.negative_block))

    return dict(zip(PARTS, map(sample, ordered), strict=True))


def user_ranges(user_offsets: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return ranges of user rows that have about as many events each as should be worked on at once."""
    starts = np.arange(0, user_offsets[-1], _EVENTS)
    inner = np.searchsorted(user_offsets, starts[1:]).tolist()
    users = len(user_offsets) - 1
    return [*pairwise([0, *sorted({*inner} - {0, users}), users])]


def _in_time_order(position: Indices, timestamp: NDArray[np.int64]) -> Indices:
    """Order ascending positions by timestamp, those of one timestamp as they are."""
    if not len(position):
        return position
    # Positions are in order of (user, timestamp, item): by time and position is the whole order.
    key, bits = np.empty(len(position), dtype=np.int64), int(position[-1]).bit_length()
    everything = pieces(len(position), _EVENTS)

    def gather(piece: slice) -> tuple[int, int]:
        key[piece] = timestamp[position[piece]]
        return int(key[piece].min()), int(key[piece].max())

    def pack(piece: slice) -> None:
        key[piece] = (key[piece] - first) << bits | position[piece]

    def unpack(piece: slice) -> None:
        position[piece] = key[piece] & ((1 << bits) - 1)

    lowest, highest = zip(*in_threads(gather, everything), strict=True)
    first = min(lowest)
    if (max(highest) - first).bit_length() + bits >= 63:
        return position[np.argsort(key, kind="stable")]
    # Numbers of time and position are sorted faster than places are by time, and two halves at once.
    in_threads(pack, everything)
    half = len(key) // 2
    key.partition(half)
    in_threads(np.ndarray.sort, (key[:half], key[half:]))
    in_threads(unpack, everything)
    return position


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
