"""Ids as logged -> what a model sees, one request at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from model_code.groups import PADDING, UNKNOWN
from model_code.sequences.codes import FIRST_ID
from model_code.sequences.vocabulary import Vocabulary


class Lookup:
    """Vocabulary ids by ids as logged, hashed once; `Vocabulary`, for whole logs, hashes at each call."""

    def __init__(
        self, known: pa.ChunkedArray, encode: Callable[[Collection[Any]], NDArray[np.int32]]
    ) -> None:
        """Hash the ids of ``known``; ``encode`` is the vocabulary's own method for them."""
        self._type, self._encode = known.type, encode
        self._code = dict(zip(known.to_pylist(), count(FIRST_ID), strict=False))

    def __call__(self, ids: Collection[Any]) -> NDArray[np.int32]:
        """Return what ``encode`` does, (n,), and raise what it raises."""
        try:
            logged = pa.array(ids, type=self._type).to_pylist()
        except (pa.ArrowException, OverflowError):
            return self._encode(ids)
        return np.array([self._code.get(id_, UNKNOWN) for id_ in logged], dtype=np.int32)


class GroupArrays(NamedTuple):
    """The fields of `Group` as arrays of int64, for one group."""

    history_item: NDArray[np.int64]  # (1, L)
    history_category: NDArray[np.int64]  # (1, L)
    length: NDArray[np.int64]  # (1,)
    candidate_item: NDArray[np.int64]  # (1, C)
    candidate_category: NDArray[np.int64]  # (1, C)
    user: NDArray[np.int64]  # (1,)


class Encoder:
    """Turns a history and candidates, given by the ids of the log, into a group."""

    def __init__(self, vocabulary: Vocabulary, max_length: int) -> None:
        self._vocabulary, self._max_length = vocabulary, max_length
        self._category = vocabulary.item_category
        self._items = Lookup(vocabulary.items["item_id"], vocabulary.encode_items)

    @cached_property
    def _users(self) -> Lookup:
        return Lookup(self._vocabulary.users["user_id"], self._vocabulary.encode_users)

    @cached_property
    def _categories(self) -> Lookup:
        return Lookup(self._vocabulary.categories["category_id"], self._vocabulary.encode_categories)

    def __call__(
        self,
        history: Sequence[Any],
        candidates: Sequence[Any],
        user: Any = None,
        history_categories: Sequence[Any] | None = None,
        candidate_categories: Sequence[Any] | None = None,
    ) -> GroupArrays:
        """Look up the ids; see `model_code.bundle.Ranker.rank`."""
        if len(history) == 0 or len(candidates) == 0:
            raise ValueError("rank needs at least one event of history and one candidate")
        _check_length("history_categories", history_categories, "events of history", history)
        _check_length("candidate_categories", candidate_categories, "candidates", candidates)
        if history_categories is not None:
            history_categories = history_categories[-self._max_length :]
        events, event_categories = self._coded(history[-self._max_length :], history_categories)
        targets, target_categories = self._coded(candidates, candidate_categories)
        slots = np.full((2, 1, self._max_length), PADDING, dtype=np.int64)
        slots[:, 0, : len(events)] = events, event_categories
        return GroupArrays(
            history_item=slots[0],
            history_category=slots[1],
            length=np.array([len(events)]),
            candidate_item=targets[None].astype(np.int64),
            candidate_category=target_categories[None].astype(np.int64),
            user=np.array([UNKNOWN if user is None else int(self._users([user])[0])]),
        )

    def _coded(
        self, items: Sequence[Any], categories: Sequence[Any] | None
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Items and their categories: those given, as training takes an event's own; else each item's."""
        codes = self._items(items)
        return codes, self._category[codes] if categories is None else self._categories(categories)

    def known(self, items: Sequence[Any]) -> NDArray[np.bool_]:
        """Tell which items are in the vocabulary, (n,)."""
        known: NDArray[np.bool_] = self._items(items) != UNKNOWN
        return known


def _check_length(name: str, categories: Sequence[Any] | None, of: str, items: Sequence[Any]) -> None:
    if categories is not None and len(categories) != len(items):
        raise ValueError(f"{name} has {len(categories)} entries for {len(items)} {of}; give one for each")
