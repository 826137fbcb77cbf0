"""Which users and items the case study looks at, drawn from the test part of a prepared log.

A prepared log keeps ids as logged for what its fit part holds, and a model gives all that is unknown one and
the same vector: users and items are drawn among the known.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from model_code.groups import UNKNOWN, Group
from model_code.sequences.batches import ResidentLog, SampleTensors, gather
from model_code.sequences.codes import FIRST_ID
from model_code.sequences.data import Indices, SequenceData

Id = int | str  # of a user, item or category, as logged


def choose_users(data: SequenceData, count: int, seed: int) -> Indices:
    """Draw users and return a test sample of each, its last one, as rows of the test part; (count,) or fewer.

    The longest histories come first, so that users with full ones are taken as long as there are any; which
    of equally long ones is drawn at random.

    Raises:
        ValueError: when no known user has two events of history: of a single event all interests are alike.
    """
    samples = data.parts["test"]
    latest = len(samples) - 1 - np.unique(samples.user[::-1], return_index=True)[1]
    length = samples.history_end - samples.history_start
    usable = (data.user[samples.user[latest]] != UNKNOWN) & (length[latest] >= 2)
    if not usable.any():
        raise ValueError("no test user that the fit part holds has a history of two events or more")
    drawn = np.random.default_rng(seed).permutation(latest[usable])
    chosen: Indices = drawn[np.argsort(-length[drawn], kind="stable")][:count]
    return chosen


def draw_items(data: SequenceData, part: str, seed: int) -> Indices:
    """One event of each known item of a part's period, (items,), in an order drawn by popularity.

    The period's events are shuffled and each item's first one kept: the item at any place is drawn among
    those left with probability proportional to its events.

    Raises:
        ValueError: when the period holds no known item.
    """
    events = np.flatnonzero(data.events_in(part) & (data.item < data.sizes.items))
    if len(events) == 0:
        raise ValueError(f"the {part} period holds no item that the fit part holds too")
    shuffled = np.random.default_rng(seed).permutation(events)
    return shuffled[_first_of_each(data.item[shuffled])]


def of_different_categories(data: SequenceData, events: Indices, count: int) -> Indices:
    """Choose events, (count,) or fewer: the first of each category, then, if those are too few, the others.

    Categories that the model does not know count as one.
    """
    code = data.category[events]
    first = _first_of_each(np.where(code < data.sizes.categories, code, UNKNOWN))
    others = np.setdiff1d(np.arange(len(events)), first)
    chosen: Indices = events[np.concatenate([first, others])[:count]]
    return chosen


def _first_of_each(codes: NDArray[np.int32]) -> NDArray[np.int64]:
    """Where each distinct code comes first, ascending."""
    return np.sort(np.unique(codes, return_index=True)[1]).astype(np.int64)


def group_of(data: SequenceData, max_length: int, rows: Indices, events: Indices) -> Group:
    """Groups of test samples, whose candidates are the items of events, the same for all.

    Args:
        data: the log.
        max_length: the model's longest history.
        rows: (B,) of the test part; their histories are taken.
        events: (C,) positions in the log.
    """
    resident = replace(ResidentLog.of(data), max_length=max_length)
    samples = SampleTensors.of(data.parts["test"], resident.item.device).take(torch.from_numpy(rows))
    return gather(resident, samples, torch.from_numpy(events).expand(len(rows), -1))


def as_logged(known: pa.ChunkedArray, codes: NDArray[np.int32]) -> tuple[Any, ...]:
    """Ids as logged of codes, by a column of the vocabulary; None for what it does not hold."""
    rows = codes - FIRST_ID
    unknown = (rows < 0) | (rows >= len(known))
    return tuple(known.take(pa.array(rows, mask=unknown)).to_pylist())
