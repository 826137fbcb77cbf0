"""Drift of a known kind and strength, planted into the later part of a simulated log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from model_code.events.simulation.settings import DAY_MS, HOUR_MS
from model_code.events.source import read_moment
from model_code.settings import require, settings

Columns = dict[str, NDArray[Any]]

NEW_CATEGORIES = 5
SHIFT_MS = -8 * HOUR_MS  # the error of a clock that is taken for another zone's


@settings
class DriftSettings:
    """What changes in a log, how much and when.

    Attributes:
        kind: "popularity": clicks move to the item at the other end of the ranks by popularity;
            "categories": items get a category that was never there; "users": users come back under an id
            that was never there, so that their histories are lost; "shifted_clock": times are 8 hours early;
            "whole_days": times are cut to midnight.
        strength: share of the clicks (of the items for "categories", of the users for "users") that change.
        start: from when on, ISO 8601 with an offset.
        seed: of what is drawn.
    """

    kind: str
    strength: float
    start: str | None
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.kind in KINDS, "drift.kind", self.kind, f"one of {', '.join(KINDS)}")
        require(0 <= self.strength <= 1, "drift.strength", self.strength, "a share in [0, 1]")
        require(self.start is not None, "drift.start", self.start, "a moment, ISO 8601 with an offset")
        read_moment("drift.start", self.start)


def plant_drift(rows: pa.Table, drift: DriftSettings) -> pa.Table:
    """The same clicks with a drift among those from its start on; rows stay in their places.

    Args:
        rows: a simulated log, of `model_code.events.simulation.clicks.SCHEMA`.
        drift: what changes.
    """
    columns = {name: rows[name].to_numpy().copy() for name in rows.column_names}
    start = read_moment("drift.start", drift.start)
    late = np.flatnonzero(columns["timestamp"] >= start)
    rng = np.random.default_rng([drift.seed, KINDS.index(drift.kind)])
    _PLANTS[drift.kind](columns, late, drift.strength, rng)
    return pa.Table.from_arrays(
        [pa.array(columns[field.name], type=field.type) for field in rows.schema], schema=rows.schema
    )


def _share(late: NDArray[np.int64], strength: float, rng: np.random.Generator) -> NDArray[np.int64]:
    return late[rng.random(len(late)) < strength]


def _popularity(columns: Columns, late: NDArray[np.int64], strength: float, rng: np.random.Generator) -> None:
    item, first, code, clicks = np.unique(
        columns["item_id"], return_index=True, return_inverse=True, return_counts=True
    )
    category = columns["category_id"][first]
    order = np.argsort(-clicks, kind="stable")
    opposite = np.empty_like(order)
    opposite[order] = order[::-1]
    moved = _share(late, strength, rng)
    to = opposite[code[moved]]
    columns["item_id"][moved], columns["category_id"][moved] = item[to], category[to]


def _categories(columns: Columns, late: NDArray[np.int64], strength: float, rng: np.random.Generator) -> None:
    item, code = np.unique(columns["item_id"], return_inverse=True)
    changes = rng.random(len(item)) < strength
    new = columns["category_id"].max() + 1 + rng.integers(NEW_CATEGORIES, size=len(item))
    moved = late[changes[code[late]]]
    columns["category_id"][moved] = new[code[moved]]


def _users(columns: Columns, late: NDArray[np.int64], strength: float, rng: np.random.Generator) -> None:
    user, code = np.unique(columns["user_id"], return_inverse=True)
    changes = rng.random(len(user)) < strength
    moved = late[changes[code[late]]]
    columns["user_id"][moved] += columns["user_id"].max()


def _shifted_clock(
    columns: Columns, late: NDArray[np.int64], strength: float, rng: np.random.Generator
) -> None:
    columns["timestamp"][_share(late, strength, rng)] += SHIFT_MS


def _whole_days(columns: Columns, late: NDArray[np.int64], strength: float, rng: np.random.Generator) -> None:
    moved = _share(late, strength, rng)
    columns["timestamp"][moved] -= columns["timestamp"][moved] % DAY_MS


_PLANTS: dict[str, Callable[[Columns, NDArray[np.int64], float, np.random.Generator], None]] = {
    "popularity": _popularity,
    "categories": _categories,
    "users": _users,
    "shifted_clock": _shifted_clock,
    "whole_days": _whole_days,
}
KINDS = tuple(_PLANTS)
