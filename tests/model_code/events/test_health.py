"""Aggregates made inside DuckDB equal a plain pandas computation over all rows."""

import json
import tempfile
from collections import Counter
from itertools import pairwise
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_code.events.click_log import ClickLog
from model_code.events.engine import EngineSettings
from model_code.events.health import DAY, GAPS, HOUR, Bin, LogHealth, measure
from model_code.events.log_tables import log_tables
from model_code.events.successions import GAP_STARTS

START = 1_506_816_000_000
ENGINE = EngineSettings(threads=1)
QUARANTINE = pd.DataFrame(
    [
        ("b.csv", 9, "missing key", "x,,"),
        ("a.csv", 12, "missing key", ",y,"),
        ("a.csv", 3, "missing key", ",z,"),
    ]
    + [("c.json", None, "unparsable row", "{")] * 2
    + [(f"d{number}.csv", number, "outside the window", f"late {number}") for number in range(1, 8)],
    columns=["file", "line", "reason", "record"],
).astype({"line": "Int64"})

events_of = st.lists(
    st.tuples(
        st.integers(0, 4),  # user
        st.integers(0, 6),  # item
        st.one_of(st.none(), st.integers(0, 2)),  # category
        st.one_of(st.integers(0, 2 * DAY), st.integers(0, 60 * DAY), st.sampled_from([0, 60_000, HOUR, DAY])),
        st.sampled_from(["click", "view"]),
    ),
    min_size=1,
    max_size=60,
)


def write_log(folder: Path, events: pd.DataFrame, quarantine: pd.DataFrame = QUARANTINE) -> ClickLog:
    events.to_parquet(folder / "events.parquet", index=False)
    quarantine.to_parquet(folder / "quarantine.parquet", index=False)
    balance = {"kept": len(events), "quarantined": 0, "duplicates": 0, "filtered_behaviors": 0}
    manifest = {"balance": {"raw": len(events)} | balance}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return ClickLog(folder)


def measured(log: ClickLog, engine: EngineSettings) -> LogHealth:
    with log_tables(log, engine) as tables:
        return measure(log, tables, engine)


def frame(rows: list[tuple]) -> pd.DataFrame:
    events = pd.DataFrame(rows, columns=["user_id", "item_id", "category_id", "timestamp", "behavior"])
    events["timestamp"] += START
    return events.astype({"category_id": "Int64"})


def gap_name(gap: int) -> str:
    return [name for name, low in zip(GAPS, GAP_STARTS, strict=True) if gap >= low][-1]


def check_against_pandas(health: LogHealth, events: pd.DataFrame) -> None:
    assert health.events == len(events)
    assert health.users == events["user_id"].nunique()
    assert health.items == events["item_id"].nunique()
    assert health.categories == events["category_id"].nunique()
    assert (health.first, health.last) == (events["timestamp"].min(), events["timestamp"].max())

    assert health.interval == (HOUR if health.last // HOUR - health.first // HOUR < 72 else DAY)
    starts = Counter(time - time % health.interval for time in events["timestamp"])
    assert list(health.activity) == sorted(starts.items())
    hours = pd.to_datetime(events["timestamp"], unit="ms").dt.hour.value_counts()
    assert list(health.hours) == [hours.get(hour, 0) for hour in range(24)]
    assert health.behaviors == events["behavior"].value_counts().to_dict()

    lengths = events["user_id"].value_counts()
    assert sum(bin_.count for bin_ in health.histories) == health.users
    for number, bin_ in enumerate(health.histories):
        assert (bin_.low, bin_.high) == ((2 ** (number - 1) + 1, 2**number) if number else (1, 1))
        assert bin_.count == lengths.between(bin_.low, bin_.high).sum()

    counts = sorted(events["item_id"].value_counts(), reverse=True)
    assert dict(health.popularity) == {rank: counts[rank - 1] for rank, _ in health.popularity}
    assert [health.popularity[0][0], health.popularity[-1][0]] == [1, len(counts)]
    for share, taken in health.top_shares.items():
        assert taken == pytest.approx(sum(counts[: ceil(share * len(counts))]) / len(events))

    gaps: Counter[str] = Counter()
    for _, times in events.groupby("user_id")["timestamp"]:
        ordered = sorted(times)
        gaps.update(gap_name(after - before) for before, after in pairwise(ordered))
    assert health.gaps == {name: gaps[name] for name in GAPS}


@settings(max_examples=15, deadline=None)
@given(events_of)
def test_equals_a_plain_computation(rows: list[tuple]) -> None:
    events = frame(rows)
    with tempfile.TemporaryDirectory() as folder:
        check_against_pandas(measured(write_log(Path(folder), events), ENGINE), events)


@pytest.mark.parametrize("order", [["user_id", "timestamp"], ["timestamp"], ["user_id", "item_id"]])
def test_gaps_depend_on_no_order(tmp_path: Path, order: list[str]) -> None:
    """More events than one row group holds: in the order of a log, and not."""
    r = np.random.default_rng(0)
    columns = (r.integers(0, most, 130_000) for most in (900, 50, 5, 10**9))
    events = frame([(*row, "pv") for row in zip(*columns, strict=True)]).sort_values(order)
    check_against_pandas(measured(write_log(tmp_path, events), EngineSettings(threads=2)), events)


def test_equals_a_plain_computation_on_a_heavy_tail(tmp_path: Path) -> None:
    """Hundreds of items: the popularity curve is thinned out, its points are exact."""
    rows = [
        (number % 97, int(3_000 / (1 + number % 1_000)), number % 3, number * 7_919_000 % (40 * DAY), "view")
        for number in range(5_000)
    ]
    health = measured(write_log(tmp_path, frame(rows)), EngineSettings(threads=2))
    check_against_pandas(health, frame(rows))
    assert health.histories[-1] == Bin(33, 64, 97)


def test_quarantine_by_reason(tmp_path: Path) -> None:
    health = measured(write_log(tmp_path, frame([(1, 1, 1, 0, "click")])), ENGINE)
    late, missing, unparsable = health.quarantine
    assert [late.reason, missing.reason, unparsable.reason] == [
        "outside the window",
        "missing key",
        "unparsable row",
    ]
    assert [late.rows, late.file_count, len(late.files)] == [7, 7, 5]
    assert [missing.rows, missing.file_count, missing.files] == [3, 2, {"a.csv": 2, "b.csv": 1}]
    places = [(example.file, example.line, example.record) for example in missing.examples]
    assert places == [("a.csv", 3, ",z,"), ("a.csv", 12, ",y,"), ("b.csv", 9, "x,,")]
    assert unparsable.examples[0].line is None
    assert len(late.examples) == 3


def test_log_without_behavior_and_quarantine(tmp_path: Path) -> None:
    events = frame([(1, 1, None, 0, "click"), (1, 2, None, 5, "click")]).drop(columns="behavior")
    health = measured(write_log(tmp_path, events, QUARANTINE[:0]), ENGINE)
    assert (health.behaviors, health.quarantine, health.categories) == ({}, (), 0)


def test_empty_log(tmp_path: Path) -> None:
    health = measured(write_log(tmp_path, frame([(1, 1, 1, 0, "click")])[:0]), ENGINE)
    assert (health.events, health.users, health.first, health.last) == (0, 0, None, None)
    assert (health.activity, health.histories, health.popularity, health.top_shares) == ((), (), (), {})


def test_missing_keys_and_absurd_times_do_not_stop_it(tmp_path: Path) -> None:
    events = frame(
        [(1, 1, 1, 0, "click"), (1, 2, 1, 9 * 10**18 - START, "click"), (2, 3, 1, -2 * START, "click")]
    )
    events["user_id"] = events["user_id"].astype("Int64")
    events.loc[2, "user_id"] = pd.NA
    health = measured(write_log(tmp_path, events), ENGINE)
    assert (health.events, health.users) == (3, 1)
    assert sum(count for _, count in health.activity) == 3
    assert sum(health.gaps.values()) == 1
