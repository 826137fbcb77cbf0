"""A prepared log made up in memory: every user has one target, after a history of random length."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.shapes import CATEGORIES, GATHERED, Shape
from model_code.groups import VocabularySizes
from model_code.sequences.codes import FIRST_ID
from model_code.sequences.data import Samples, SequenceData
from model_code.sequences.negatives import NegativeSampler
from model_code.sequences.settings import SequenceSettings


def synthetic_log(shape: Shape, users: int = GATHERED, seed: int = 0) -> SequenceData:
    """Make a log whose fit part has one group a user, and whose test part holds the same groups.

    Ids are in order of frequency, as in a vocabulary made from a real log.
    """
    rng = np.random.default_rng(seed)
    each = shape.history + 1  # events of a user; the last one is the target
    item = FIRST_ID + _ranks(rng, shape, users * each)
    category = FIRST_ID + rng.integers(CATEGORIES, size=shape.items + FIRST_ID, dtype=np.int32)
    offsets = np.arange(users + 1, dtype=np.int64) * each
    target = offsets[1:] - 1
    fit = Samples(
        position=target,
        user=np.arange(users, dtype=np.int32),
        history_start=target - rng.integers(1, shape.history, size=users, endpoint=True),
        history_end=target.copy(),
        block_offsets=np.array([0, users]),
    )
    sizes = VocabularySizes(shape.items + FIRST_ID, CATEGORIES + FIRST_ID, users + FIRST_ID)
    data = SequenceData(
        item=item,
        category=category[item],
        timestamp=np.arange(users * each, dtype=np.int64) % each,
        user_offsets=offsets,
        user=np.arange(users, dtype=np.int32) + np.int32(FIRST_ID),
        item_count=np.bincount(item, minlength=sizes.items),
        parts={"fit": fit},
        sizes=sizes,
        settings=SequenceSettings(max_length=shape.history, negatives_per_positive=shape.candidates - 1),
        manifest={
            "identities": {"items": sizes.items, "categories": sizes.categories},
            "validation_timestamp": each,  # all events lie before both cuts
            "split_timestamp": each,
        },
    )
    return replace(data, parts={"fit": fit, "test": _with_negatives(data)})


def _ranks(rng: np.random.Generator, shape: Shape, count: int) -> NDArray[np.int32]:
    """Draw ranks from 0 on, rank r with a probability that falls as (r + 1) ** -zipf."""
    cumulated = np.cumsum(np.arange(1, shape.items + 1, dtype=np.float64) ** -shape.zipf)
    drawn = np.searchsorted(cumulated, rng.random(count) * cumulated[-1], side="right")
    ranks: NDArray[np.int32] = drawn.astype(np.int32)
    return ranks


def _with_negatives(data: SequenceData) -> Samples:
    """Store negatives with the groups that can be filled, as the parts that are scored have them."""
    fit = data.parts["fit"]
    sampler = NegativeSampler.of(data, "fit", torch.from_numpy(data.item), data.settings.seed)
    negatives, filled = (array.numpy() for array in sampler.draw(torch.arange(len(fit)), epoch=0))
    return Samples(
        position=fit.position[filled],
        user=fit.user[filled],
        history_start=fit.history_start[filled],
        history_end=fit.history_end[filled],
        block_offsets=np.array([0, filled.sum()]),
        negatives=negatives[filled],
    )
