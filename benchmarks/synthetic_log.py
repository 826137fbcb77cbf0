"""A prepared log of any size, made up and written in little memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_code.files import write_json
from model_code.groups import VocabularySizes
from model_code.sequences.codes import FIRST_ID
from model_code.sequences.data import EVENT_ARRAYS, MANIFEST, load_array
from model_code.sequences.samples import make_samples
from model_code.sequences.settings import SequenceSettings

EVENTS_PER_USER = 50  # on average
CATEGORIES = 10_000
_SPAN = 14 * 24 * 3600 * 1000  # ms
_CUTS = {"validation_timestamp": int(0.97 * _SPAN), "split_timestamp": int(0.985 * _SPAN)}
_USERS = 20_000  # made at once


class _Chunk(NamedTuple):
    """The events of some users."""

    item: NDArray[np.int32]
    category: NDArray[np.int32]
    timestamp: NDArray[np.int64]


def write_synthetic_log(folder: Path, events: int, items: int, max_length: int, seed: int = 0) -> None:
    """Write a log as `model_code.sequences.build.build` does, without stored negatives.

    Items are skewed: the share p of all events falls on the p**3 most popular ones. Nothing is to be learnt.

    Args:
        folder: made; holds the log afterwards.
        events: how many.
        items: how many there are to choose from; all count as known.
        max_length: longest history.
        seed: of everything.
    """
    r = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    lengths = _lengths(r, events)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    sizes = VocabularySizes(items + FIRST_ID, CATEGORIES + FIRST_ID, len(lengths) + FIRST_ID)
    count = _write_events(folder, _chunks(r, lengths, items), events, sizes.items)
    np.save(folder / "user_offsets.npy", offsets)
    np.save(folder / "user.npy", np.arange(FIRST_ID, sizes.users, dtype=np.int32))
    np.save(folder / "item_count.npy", count)
    settings = SequenceSettings(max_length=max_length)
    made = make_samples(load_array(folder, "timestamp"), offsets, _CUTS, settings, folder)
    for part, samples in made.items():
        samples.save(folder / part)
    manifest: dict[str, Any] = {
        **_CUTS,
        "sizes": sizes._asdict(),
        "identities": {"items": sizes.items, "categories": sizes.categories},
        "settings": {"max_length": max_length},
    }
    write_json(folder / MANIFEST, manifest)


def _lengths(r: np.random.Generator, events: int) -> NDArray[np.int64]:
    """Return the number of events of each user, half to one and a half times the mean, ``events`` in all."""
    users = max(1, events // EVENTS_PER_USER)
    edges = (np.arange(users + 1) + np.pad(r.uniform(-0.25, 0.25, users - 1), 1)) * events / users
    bounds = edges.round().astype(np.int64)
    return bounds[1:] - bounds[:-1]


def _chunks(r: np.random.Generator, lengths: NDArray[np.int64], items: int) -> Iterator[_Chunk]:
    for start in range(0, len(lengths), _USERS):
        some = lengths[start : start + _USERS]
        user = np.repeat(np.arange(len(some)), some)
        key = np.sort(user * _SPAN + r.integers(0, _SPAN, len(user)))
        item = FIRST_ID + (items * r.random(len(user)) ** 3).astype(np.int32)
        yield _Chunk(item, FIRST_ID + item % CATEGORIES, key % _SPAN)


def _write_events(folder: Path, chunks: Iterator[_Chunk], events: int, size: int) -> NDArray[np.int64]:
    """Write the three event arrays; return the events of each item in the fit part."""
    arrays = {
        name: np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=dtype, shape=(events,))
        for name, dtype in zip(EVENT_ARRAYS, (np.int32, np.int32, np.int64), strict=False)
    }
    count, start = np.zeros(size, dtype=np.int64), 0
    for chunk in chunks:
        end = start + len(chunk.item)
        for name, array in arrays.items():
            array[start:end] = getattr(chunk, name)
        count += np.bincount(chunk.item[chunk.timestamp < _CUTS["validation_timestamp"]], minlength=size)
        start = end
    return count
