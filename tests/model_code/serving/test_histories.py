"""Known users' histories against a loop over the events; files that cannot be used."""

import re
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from model_code.sequences.vocabulary import Vocabulary
from model_code.serving.histories import Histories, HistoriesError

INTEGERS = pa.int64()


def knowing(kind=INTEGERS, categories=()):
    """A vocabulary of ids of a type, with some categories."""
    ids = pa.array([], kind)
    return Vocabulary(
        items=pa.table({"item_id": ids}),
        categories=pa.table({"category_id": pa.array(categories, kind)}),
        users=pa.table({"user_id": ids}),
    )


def as_logged(kind, numbers):
    return numbers if kind == pa.int64() else pa.array([f"é{number}" for number in numbers.tolist()])


@pytest.mark.parametrize("kind", [pa.int64(), pa.string()], ids=str)
@pytest.mark.parametrize("max_length", [1, 3, 1000])
def test_each_user_has_its_last_events_in_order(kind, max_length, tmp_path):
    random = np.random.default_rng(1)
    users, items, times = (random.integers(0, most, 500) for most in (40, 30, 60))
    table = pa.table(
        {"user_id": as_logged(kind, users), "timestamp": times, "item_id": as_logged(kind, items)}
    )
    pq.write_table(table, tmp_path / "events.parquet")
    expected = defaultdict(list)
    for row in sorted(table.to_pylist(), key=lambda row: (row["timestamp"], row["item_id"])):
        expected[row["user_id"]].append(row)
    histories = Histories.load(tmp_path / "events.parquet", max_length, knowing(kind))
    assert len(histories) == len(expected)
    for user, rows in expected.items():
        history = histories.of(user)
        assert history.items == [row["item_id"] for row in rows[-max_length:]]
        assert history.last_event_time == rows[-1]["timestamp"]
        assert history.categories is None
    for user in (-1, 41, 2**80) if kind == pa.int64() else ("", "zz", "é"):
        assert histories.of(user) is None


@pytest.mark.parametrize("kind", [pa.int64(), pa.string()], ids=str)
def test_each_event_has_its_own_category(kind, tmp_path):
    random = np.random.default_rng(2)
    users, items, times, categories = (random.integers(0, most, 500) for most in (20, 3, 9, 9))
    logged = as_logged(kind, categories)
    logged = pc.if_else(pa.array(categories == 8), None, logged)
    columns = {"user_id": users, "item_id": items, "timestamp": times}
    columns = {name: as_logged(kind, ids) if name != "timestamp" else ids for name, ids in columns.items()}
    table = pa.table({**columns, "category_id": logged})
    pq.write_table(table, tmp_path / "events.parquet")
    known = as_logged(kind, np.array([7, 2, 4])).tolist() if kind == pa.int64() else ["é7", "é2", "é4"]
    place = {None: -1, **{category: row for row, category in enumerate(known)}}
    order = sorted(
        table.to_pylist(),
        key=lambda row: (row["timestamp"], row["item_id"], place.get(row["category_id"], 3)),
    )
    histories = Histories.load(tmp_path / "events.parquet", 7, knowing(kind, known))
    for user in set(table["user_id"].to_pylist()):
        rows = [row for row in order if row["user_id"] == user][-7:]
        history = histories.of(user)
        assert history.items == [row["item_id"] for row in rows]
        # Categories that the model does not know are one to it, in whatever order.
        told = [place.get(category, 3) for category in history.categories]
        assert told == [place.get(row["category_id"], 3) for row in rows]
        assert set(history.categories) <= {row["category_id"] for row in order}


def test_categories_may_all_be_missing_but_are_of_the_type_of_the_log(tmp_path):
    path, events = tmp_path / "events.parquet", {"user_id": [1], "item_id": [3], "timestamp": [5]}
    pq.write_table(pa.table(events | {"category_id": pa.nulls(1)}), path)
    assert Histories.load(path, 5, knowing()).of(1).categories == [None]
    pq.write_table(pa.table(events | {"category_id": ["a"]}), path)
    with pytest.raises(HistoriesError, match="category_id is of type string, but int64 in the log of"):
        Histories.load(path, 5, knowing())


def test_a_log_without_events_knows_nobody(tmp_path):
    empty = pa.table({name: pa.array([], pa.int64()) for name in ("user_id", "item_id", "timestamp")})
    pq.write_table(empty, tmp_path / "events.parquet")
    histories = Histories.load(tmp_path / "events.parquet", 5, knowing())
    assert (len(histories), histories.of(1)) == (0, None)


COLUMNS = {"user_id": [1, 2], "item_id": [3, 4], "timestamp": [5, 6]}
BAD = {
    "no column": ({"user_id": [1], "timestamp": [2]}, "has no column item_id"),
    "texts": (COLUMNS | {"item_id": ["3", "4"]}, "item_id is of type string, but int64 in the log of"),
    "a null": (COLUMNS | {"timestamp": [5, None]}, "row 1 has no timestamp; leave such rows out"),
    "numbers beyond": (
        COLUMNS | {"user_id": pa.array([1, 2**63], pa.uint64())},
        "user_id of type uint64 cannot be read as int64 (",
    ),
    "times as times": (
        COLUMNS | {"timestamp": pa.array([5, 6], pa.timestamp("ms"))}, "timestamp is of type timestamp"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_cannot_be_used_is_refused_by_name(case, tmp_path):
    columns, message = BAD[case]
    path = tmp_path / "events.parquet"
    pq.write_table(pa.table(columns), path)
    with pytest.raises(HistoriesError, match=re.escape(f"{path}: {message}")):
        Histories.load(path, 5, knowing())


def test_what_is_no_parquet_file_is_refused_by_name(tmp_path):
    (tmp_path / "events.csv").write_text("user_id,item_id,timestamp\n1,2,3\n")
    for path in (tmp_path / "events.csv", tmp_path / "nothing.parquet"):
        with pytest.raises(HistoriesError, match=f"{path}: cannot be read as Parquet"):
            Histories.load(path, 5, knowing())
