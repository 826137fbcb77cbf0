"""The shape of a click log in small numbers: what the plots of the validation report are drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import ibis
import numpy as np
from ibis import Table
from numpy.typing import NDArray

from model_code.events.engine import EngineSettings, connect
from model_code.events.parquet_files import read_parquet
from model_code.events.successions import GAP_STARTS

if TYPE_CHECKING:
    from pathlib import Path

    from model_code.events.click_log import ClickLog

HOUR = 60 * 60 * 1000  # milliseconds
DAY = 24 * HOUR
SHORT_LOG = 3  # days; activity in a log up to this long is counted by hour
RANKS = 200  # at most so many points of the popularity curve
TOP_SHARES = (0.001, 0.01, 0.1)
GAPS = (  # of the bins in GAP_STARTS
    "same moment",
    "under 1 minute",
    "1 to 10 minutes",
    "10 to 60 minutes",
    "1 to 6 hours",
    "6 to 24 hours",
    "1 to 7 days",
    "7 to 30 days",
    "over 30 days",
)
EXAMPLES = 3  # quarantined records kept for each reason
FILES = 5  # files named for each reason


@dataclass(frozen=True)
class Bin:
    """``count`` values between ``low`` and ``high``, both included."""

    low: int
    high: int
    count: int


@dataclass(frozen=True)
class QuarantinedRecord:
    """A raw row that could not be used; ``line`` counts from 1: the row where the format has no lines."""

    file: str
    line: int
    record: str


@dataclass(frozen=True)
class QuarantineReason:
    """The rows quarantined for one reason: how many, in how many files, in which most, and the first few."""

    reason: str
    rows: int
    file_count: int
    files: dict[str, int]
    examples: tuple[QuarantinedRecord, ...]


@dataclass(frozen=True)
class LogHealth:
    """Small aggregates over all events of a log.

    Attributes:
        events: number of events.
        users: number of distinct users.
        items: number of distinct items.
        categories: number of distinct known categories.
        first: time of the first event, ms; ``None`` in an empty log.
        last: time of the last event, ms.
        interval: length of the intervals in ``activity``, ms: an hour or a day.
        activity: events by start of their interval (UTC); intervals without events are left out.
        hours: events by hour of day (UTC), 24 numbers.
        behaviors: events by behaviour, the most frequent first; empty if the log has none.
        histories: users by their number of events, in bins that double: 1, 2, 3-4, 5-8, ...
        popularity: (rank, events) of items, the most popular first, at ranks spaced evenly on a log scale.
        top_shares: share of all events on the most popular items, by their share of all items.
        gaps: pairs of successive events of a user, by the time between them.
        quarantine: the quarantined rows by reason, the most frequent first.
    """

    events: int
    users: int
    items: int
    categories: int
    first: int | None
    last: int | None
    interval: int
    activity: tuple[tuple[int, int], ...]
    hours: tuple[int, ...]
    behaviors: dict[str, int]
    histories: tuple[Bin, ...]
    popularity: tuple[tuple[int, int], ...]
    top_shares: dict[float, float]
    gaps: dict[str, int]
    quarantine: tuple[QuarantineReason, ...]


def measure(log: ClickLog, tables: Path, engine: EngineSettings) -> LogHealth:
    """Aggregate all events and quarantined rows of a log, in bounded memory.

    Missing users, items, times and categories are left out where they would be counted.

    Args:
        log: the log.
        tables: its tables, as `log_tables` makes them.
        engine: how much of the machine to use.
    """
    with connect(engine, tables) as backend:
        events = backend.table("events")
        quarantined = read_parquet(backend, log.quarantine)
        user_lengths, users = _frequencies(backend.table("users"))
        item_counts, items = _frequencies(backend.table("items"))
        starts, hourly = _hourly(backend.table("hours"))
        interval = HOUR if len(starts) and starts[-1] - starts[0] < SHORT_LOG * DAY else DAY
        [totals] = _rows(
            events.agg(
                events=events.count(),
                categories=events.category_id.nunique(),
                first=events.timestamp.min(),
                last=events.timestamp.max(),
            )
        )
        return LogHealth(
            **totals,
            users=int(users.sum()),
            items=int(items.sum()),
            interval=interval,
            activity=_activity(starts, hourly, interval),
            hours=tuple(_sums(starts % DAY // HOUR, hourly, 24)),
            behaviors=_behaviors(events),
            histories=_doubling_bins(user_lengths, users),
            popularity=_popularity(item_counts, items),
            top_shares=_top_shares(item_counts, items),
            gaps=_gaps(backend.table("gaps")),
            quarantine=_quarantine(quarantined),
        )


def _frequencies(counted: Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct numbers of events of users, or of items, descending, and how many have each.

    Both are short for any log: n users with distinct numbers of events have at least n (n + 1) / 2 events.
    """
    table = counted.group_by("events").agg(keys=counted.count()).order_by(ibis.desc("events")).to_pyarrow()
    return table["events"].to_numpy(), table["keys"].to_numpy()


def _hourly(hours: Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts (ms) of the hours that have events, ascending, and their numbers of events."""
    table = hours.order_by("hour").to_pyarrow()
    return table["hour"].to_numpy() * HOUR, table["events"].to_numpy()


def _activity(
    starts: NDArray[np.int64], hourly: NDArray[np.int64], interval: int
) -> tuple[tuple[int, int], ...]:
    intervals, position = np.unique(starts // interval * interval, return_inverse=True)
    return tuple(zip(intervals.tolist(), _sums(position, hourly, len(intervals)), strict=True))


def _sums(position: NDArray[np.int64], values: NDArray[np.int64], size: int) -> list[int]:
    total = np.zeros(size, np.int64)
    np.add.at(total, position, values)
    return total.tolist()


def _behaviors(events: Table) -> dict[str, int]:
    if "behavior" not in events.columns:
        return {}
    counted = events.group_by("behavior").agg(events=events.count())
    rows = _rows(counted.order_by(ibis.desc("events"), "behavior"))
    return {str(row["behavior"]): row["events"] for row in rows}


def _doubling_bins(lengths: NDArray[np.int64], users: NDArray[np.int64]) -> tuple[Bin, ...]:
    number = [int(length - 1).bit_length() for length in lengths]  # 1 -> 0, 2 -> 1, 3 and 4 -> 2, 5 to 8 -> 3
    counts = _sums(np.array(number, np.int64), users, max(number, default=-1) + 1)
    return tuple(Bin(2**i // 2 + 1 if i else 1, 2**i, count) for i, count in enumerate(counts))


def _popularity(counts: NDArray[np.int64], items: NDArray[np.int64]) -> tuple[tuple[int, int], ...]:
    last_rank = items.cumsum()  # of the items with each count
    if not len(last_rank):
        return ()
    ranks = np.unique(np.geomspace(1, last_rank[-1], RANKS).round().astype(np.int64))
    return tuple(zip(ranks.tolist(), counts[np.searchsorted(last_rank, ranks)].tolist(), strict=True))


def _top_shares(counts: NDArray[np.int64], items: NDArray[np.int64]) -> dict[float, float]:
    total, last_rank = int((counts * items).sum()), items.cumsum()
    shares = {}
    for share in TOP_SHARES if total else ():
        top = ceil(round(share * int(last_rank[-1]), 6))  # 0.1 * 30 is 3, not a little more
        taken = np.clip(top - (last_rank - items), 0, items)  # of the items with each count, those at the top
        shares[share] = float((counts * taken).sum() / total)
    return shares


def _gaps(gaps: Table) -> dict[str, int]:
    pairs = {row["number"]: row["pairs"] for row in _rows(gaps)}
    return {name: pairs.get(number, 0) for name, number in zip(GAPS, range(len(GAP_STARTS)), strict=True)}


def _quarantine(quarantined: Table) -> tuple[QuarantineReason, ...]:
    counted = quarantined.group_by("reason", "file").agg(rows=quarantined.count())
    by_file = _rows(counted.order_by("reason", ibis.desc("rows"), "file"))
    files: dict[str, dict[str, int]] = {}
    for row in by_file:
        files.setdefault(row["reason"], {})[row["file"]] = row["rows"]
    reasons = [
        QuarantineReason(
            reason=reason,
            rows=sum(rows.values()),
            file_count=len(rows),
            files=dict(list(rows.items())[:FILES]),
            examples=_examples(quarantined, reason),
        )
        for reason, rows in files.items()
    ]
    return tuple(sorted(reasons, key=lambda reason: (-reason.rows, reason.reason)))


def _examples(quarantined: Table, reason: str) -> tuple[QuarantinedRecord, ...]:
    chosen = (
        quarantined.filter(quarantined.reason == reason).order_by("file", "line", "record").limit(EXAMPLES)
    )
    return tuple(QuarantinedRecord(**row) for row in _rows(chosen.select("file", "line", "record")))


def _rows(table: Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pyarrow().to_pylist()
    return rows
