"""The features whose distributions are compared, each cut into bins that the reference lays down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_code.monitoring.noise import NOT_COUNTED, Codes
from model_code.monitoring.observations import DAY, Observations

HOUR = DAY // 24
CATEGORIES_SHOWN = 20  # the others are compared as one: thousands of rare ones would be noise alone
QUANTILE_BINS = 10


@dataclass(frozen=True)
class Binned:
    """One feature of the reference and of a window, in the same bins."""

    bins: tuple[str, ...]
    reference: Codes
    window: Codes


Binning = Callable[[Observations, Observations], Binned | None]  # None: cannot be compared


def categories(reference: Observations, window: Observations) -> Binned | None:
    """The most frequent categories of the reference, the other known ones, unknown ones, and none at all."""
    names = reference.column("category")[~reference.missing("category")]
    if len(names) == 0:
        return None
    found, counts = np.unique(names.astype(str), return_counts=True)
    shown = found[np.argsort(-counts, kind="stable")[:CATEGORIES_SHOWN]].tolist()
    place = {name: number for number, name in enumerate(shown)}
    other, unknown, none = len(shown), len(shown) + 1, len(shown) + 2

    def code(table: Observations) -> Codes:
        column = table.table["category"].dictionary_encode().combine_chunks()
        of_name = [place.get(name, other) for name in column.dictionary.to_pylist()]
        codes = np.array([*of_name, none])[column.indices.fill_null(len(of_name)).to_numpy()]
        codes[~table.table["category_known"].fill_null(True).to_numpy()] = unknown
        of_rows: Codes = codes.astype(np.int64)
        return of_rows

    return Binned((*shown, "other", "unknown to the model", "none"), code(reference), code(window))


def popularity(reference: Observations, window: Observations) -> Binned | None:
    """Deciles of the items' popularity in the model's fit part."""
    codes = (table.column("popularity_decile").astype(np.int64) for table in (reference, window))
    return Binned(("unknown", *map(str, range(1, 11))), *codes)


def history_length(reference: Observations, window: Observations) -> Binned | None:
    """Events that the model was shown."""
    return _quantiles(reference.column("history_length"), window.column("history_length"), str)


def gap(reference: Observations, window: Observations) -> Binned | None:
    """Time since the last event of the history."""
    pair = reference, window
    if any(table.missing("gap_ms").all() for table in pair):
        return None
    old, new = (table.column("gap_ms").astype(np.float64) for table in pair)
    return _quantiles(old, new, duration)


def hour(reference: Observations, window: Observations) -> Binned | None:
    """Hour of the day (UTC), in the last whole days of either period: else each hour has another chance."""
    if any(table.end - table.start < DAY for table in (reference, window)):
        return None

    def code(table: Observations) -> Codes:
        time = table.column("time")
        first = table.end - (table.end - table.start) // DAY * DAY
        return np.where(time >= first, time // HOUR % 24, NOT_COUNTED).astype(np.int64)

    return Binned(tuple(map(str, range(24))), code(reference), code(window))


def score(reference: Observations, window: Observations) -> Binned | None:
    """Predicted click probability."""
    return _quantiles(reference.column("score"), window.column("score"), "{:.3f}".format)


def unknown(name: str) -> Binning:
    """Whether something is unknown to the model, where there is something: the column ``name`` tells."""

    def binned(reference: Observations, window: Observations) -> Binned | None:
        def code(table: Observations) -> Codes:
            missing = table.missing(name)
            known = table.table[name].fill_null(True).to_numpy()
            return np.where(missing, NOT_COUNTED, ~known).astype(np.int64)

        codes = code(reference), code(window)
        return None if any((code_ == NOT_COUNTED).all() for code_ in codes) else Binned(UNKNOWN_BINS, *codes)

    return binned


UNKNOWN_BINS = ("known", "unknown")


def _quantiles(reference: NDArray[Any], window: NDArray[Any], shown: Callable[[float], str]) -> Binned:
    """Bins that hold equal shares of the reference, as far as ties allow; NaN has one of its own."""
    values = np.sort(reference[~np.isnan(reference)])
    ranks = len(values) * np.arange(1, QUANTILE_BINS) // QUANTILE_BINS
    cuts = np.unique(values[ranks])
    cuts = cuts[cuts > values[0]]  # nothing lies below the smallest value
    ends = [f"below {shown(cuts[0])}"] if len(cuts) else ["all"]
    ends += [f"{shown(low)} to {shown(high)}" for low, high in pairwise(cuts)]
    ends += [f"from {shown(cuts[-1])}"] if len(cuts) else []

    def code(column: NDArray[Any]) -> Codes:
        codes = np.searchsorted(cuts, column, side="right")
        return np.where(np.isnan(column), len(ends), codes).astype(np.int64)

    codes = code(reference), code(window)
    missing = ("none",) if max(code_.max(initial=0) for code_ in codes) == len(ends) else ()
    return Binned((*ends, *missing), *codes)


def duration(milliseconds: float) -> str:
    """90,000 -> "1.5 min"."""
    for unit, length in (("d", DAY), ("h", HOUR), ("min", 60_000), ("s", 1000)):
        if milliseconds >= length:
            return f"{milliseconds / length:.3g} {unit}"
    return f"{milliseconds:.0f} ms"
