"""Users with enough events, and the two cuts in time that make fit, validation and test."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from model_code.events.click_log import ClickLog, EventFolder
from model_code.events.engine import EngineSettings
from model_code.events.engines import start_engine
from model_code.events.engines.engine import Engine
from model_code.events.errors import EmptyWindowError, IngestError
from model_code.events.parquet_files import count_rows
from model_code.events.source import read_moment
from model_code.events.stops import explaining_stops
from model_code.files import replacing, write_json
from model_code.settings import require, settings

if TYPE_CHECKING:
    import ibis

_HOUR = 60 * 60 * 1000  # ms
ORDER = ("user_id", "timestamp", "item_id", "category_id")  # of the events, by the first that differs
PARTS = ("fit", "validation", "test")  # by their number in the column `part`


@settings
class SplitSettings:
    """How events are filtered and cut.

    Attributes:
        min_interactions: users with fewer events are removed, in one pass.
        test_fraction: share of the events, the latest ones, that is the test period.
        validation_fraction: share of the train period, its latest events, that is kept for validation.
        test_from: where the test period starts, ISO 8601 with an offset, in place of what ``test_fraction``
            gives; how a window of time is cut out.
    """

    min_interactions: int = 5
    test_fraction: float = 0.2
    validation_fraction: float = 0.1
    test_from: str | None = None

    def __post_init__(self) -> None:
        require(self.min_interactions >= 1, "split.min_interactions", self.min_interactions, "at least 1")
        for name in ("test_fraction", "validation_fraction"):
            value = getattr(self, name)
            require(0 < value < 1, f"split.{name}", value, "a number in (0, 1)")
        read_moment("split.test_from", self.test_from)


class SplitLog(EventFolder):
    """A folder with a split log.

    ``events.parquet``: ``user_id``, ``item_id``, ``category_id``, ``timestamp`` and ``part`` (TINYINT: 0 fit,
    1 validation, 2 test), by user, timestamp, item, category: numbers by value, texts by bytes, NULL last.
    ``manifest.json``: ``split_timestamp`` and ``validation_timestamp`` (ms), balance, users, parts.
    """


def split(log: ClickLog, settings: SplitSettings, engine: EngineSettings, out: Path) -> SplitLog:
    """Remove users with few events and cut the rest in time.

    The earliest n (1 - test fraction) timestamps, rounded up, end at t*; events before t* are the train
    period, t* itself and later the test period; ``test_from`` sets t* itself. The train period is cut in the
    same way.

    Args:
        log: the canonical events.
        settings: the filter and the fractions.
        engine: how much of the machine to use; the output does not depend on it.
        out: the folder to write; an old one is replaced, on success only.

    Raises:
        IngestError: if no user has enough events, a part would be empty, or the disk or the memory is full.
        ArithmeticError: if the counts do not balance.
    """
    with (
        explaining_stops(f"splitting {log.path}", out),
        start_engine(engine) as connection,
        replacing(out) as folder,
    ):
        folder.mkdir()
        events = connection.read(log.events)
        counts = events.group_by("user_id").agg(events=events.count())
        users = connection.keep(counts)
        inactive = users.filter(users.events < settings.min_interactions)  # mostly the fewer ones
        kept = events.anti_join(inactive, "user_id")
        validation_time, test_time = _cuts(connection, kept, settings, log)
        ordered = connection.ordered(kept.select(ORDER), ORDER)
        connection.write(_in_parts(ordered, validation_time, test_time), folder / "events.parquet")
        few = inactive.events.sum().to_pyarrow().as_py() or 0
        balance = replace(log.balance, kept=count_rows(folder / "events.parquet"), filtered_users_events=few)
        balance.check()
        manifest = {
            "split_timestamp": test_time,
            "validation_timestamp": validation_time,
            "balance": asdict(balance),
            "users": users.count().to_pyarrow().as_py() - inactive.count().to_pyarrow().as_py(),
            "parts": _counts(connection, folder / "events.parquet"),
            "settings": asdict(settings),
        }
        write_json(folder / "manifest.json", manifest)
    return SplitLog(out)


def _in_parts(events: ibis.Table, validation_time: int, test_time: int) -> ibis.Table:
    """The events with their part."""
    time = events.timestamp
    part = (time >= validation_time).cast("int8") + (time >= test_time).cast("int8")
    return events.select("user_id", "item_id", "category_id", "timestamp", part=part)


def cut_index(count: int, later_fraction: float) -> int:
    """``ceil((1 - later_fraction) count) - 1``, exact for the decimal that the setting was written as."""
    return math.ceil((1 - Fraction(str(later_fraction))) * count) - 1


def _cuts(connection: Engine, events: ibis.Table, settings: SplitSettings, log: ClickLog) -> tuple[int, int]:
    """The first timestamps of validation and of test, in milliseconds."""
    hours = _by_hour(connection, events)
    total = int(hours["events"].sum())
    if total == 0:
        raise IngestError(
            f"{log.path}: no user has {settings.min_interactions} events; "
            "lower split.min_interactions or take a longer log"
        )
    test_from = read_moment("split.test_from", settings.test_from)
    if test_from is None:
        test_time, train = _cut(connection, events, hours, cut_index(total, settings.test_fraction))
    else:
        test_time, train = test_from, events.filter(events.timestamp < test_from).count().to_pyarrow().as_py()
        if train in (0, total):
            raise EmptyWindowError(
                f"{log.path}: {train:,} of {total:,} events lie before split.test_from ="
                f" {settings.test_from!r}; both sides need some"
            )
    if train == 0:
        raise IngestError(f"{log.path}: no event lies before the test period; {_too_coarse(test_time)}")
    place = cut_index(train, settings.validation_fraction)
    validation_time, fit = _cut(connection, events, hours, place)
    if fit == 0:
        raise IngestError(
            f"{log.path}: no event lies before the validation period; {_too_coarse(validation_time)}"
        )
    return validation_time, test_time


def _by_hour(connection: Engine, events: ibis.Table) -> dict[str, NDArray[np.int64]]:
    """The ``start`` of each hour with events, in order, and how many ``events`` it has."""
    counts = events.group_by(hour=events.timestamp // _HOUR).agg(events=events.count()).order_by("hour")
    hours = connection.fetch(counts)
    return {"start": hours["hour"].to_numpy() * _HOUR, "events": hours["events"].to_numpy()}


def _cut(
    connection: Engine, events: ibis.Table, hours: dict[str, NDArray[np.int64]], place: int
) -> tuple[int, int]:
    """The timestamp of an event, by its place in order of time, and how many events lie before that."""
    # To count the events of each moment takes a table of most of them; of one hour it is small.
    start, before = _reached(hours["start"], hours["events"], place)
    inside = events.filter(events.timestamp >= start, events.timestamp < start + _HOUR)
    moments = inside.group_by("timestamp").agg(events=inside.count()).order_by("timestamp")
    counted = connection.fetch(moments)
    cut, more = _reached(counted["timestamp"].to_numpy(), counted["events"].to_numpy(), place - before)
    return cut, before + more


def _reached(times: NDArray[np.int64], events: NDArray[np.int64], place: int) -> tuple[int, int]:
    """The time of the event at a place, and how many events lie before that time."""
    upto = events.cumsum()
    row = int(upto.searchsorted(place, side="right"))
    return int(times[row]), int(upto[row] - events[row])


def _too_coarse(moment: int) -> str:
    return (
        f"too many events share the timestamp {moment} ms. Check source.columns.timestamp and source.time; "
        "if they are right, change split.test_fraction and split.validation_fraction, or take a longer log"
    )


def _counts(connection: Engine, path: Path) -> dict[str, dict[str, int]]:
    """Events of each part, and the first and last timestamp."""
    events = connection.read(path)
    time = events.timestamp
    parts = events.group_by("part").agg(events=events.count(), first=time.min(), last=time.max())
    rows = {row.pop("part"): row for row in parts.to_pyarrow().to_pylist()}
    return {name: rows[number] for number, name in enumerate(PARTS)}
