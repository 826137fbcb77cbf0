"""Targets, their histories, and blocks of targets close in time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model_code.events.split import PARTS
from model_code.sequences.data import Indices, Samples, index_type, period
from model_code.sequences.settings import SequenceSettings


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
    narrow = index_type(len(timestamp))
    events = np.diff(user_offsets)
    user = np.repeat(np.arange(len(events), dtype=np.int32), events)
    history_end = run_starts(timestamp, user_offsets)
    has_history = history_end > np.repeat(user_offsets[:-1].astype(narrow), events)
    parts = {}
    for part in PARTS:
        first, end = period(cuts, part)
        inside = (timestamp >= first) & (timestamp < end) & has_history
        position = np.flatnonzero(inside).astype(narrow)
        # Positions are in order of (user, timestamp, item): a stable sort by time is the whole order.
        position = position[np.argsort(timestamp[position], kind="stable")]
        rows, ends = user[position], history_end[position]
        parts[part] = Samples(
            position=position,
            user=rows,
            history_start=np.maximum(user_offsets[rows], ends - settings.max_length).astype(narrow),
            history_end=ends,
            block_offsets=cut_blocks(len(position), settings.negative_block),
        )
    return parts


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
