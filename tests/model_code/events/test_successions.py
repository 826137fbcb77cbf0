from bisect import bisect_right
from itertools import groupby, pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_code.events import successions
from model_code.events.successions import GAP_STARTS, Successions, follow

INT64 = pa.int64()
TIMES = st.one_of(st.sampled_from(GAP_STARTS), st.integers(-(10**10), 10**10))


def followed(path, events, group_rows=3, users=INT64) -> Successions | None:
    table = pa.table(
        {
            "user_id": pa.array([user for user, _ in events], users),
            "timestamp": pa.array([time for _, time in events], pa.int64()),
        }
    )
    pq.write_table(table, path, row_group_size=group_rows)
    return follow(path)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), TIMES), min_size=1), st.integers(1, 9), st.booleans())
def test_equals_a_plain_walk(tmp_path_factory, events, group_rows, as_text):
    events = sorted(((str(user), time) if as_text else (user, time)) for user, time in events)
    path = tmp_path_factory.mktemp("walk") / "events.parquet"
    found = followed(path, events, group_rows, pa.string() if as_text else pa.int64())
    gaps = np.zeros(len(GAP_STARTS), np.int64)
    users = []
    for user, own in groupby(events, key=lambda event: event[0]):
        times = [time for _, time in own]
        users.append({"user_id": user, "events": len(times)})
        for before, after in pairwise(times):
            gaps[bisect_right(GAP_STARTS, after - before) - 1] += 1
    assert found.users.to_pylist() == users
    assert found.gaps.to_pydict() == {"number": list(range(len(gaps))), "pairs": gaps.tolist()}


@pytest.mark.parametrize(
    "events",
    [
        [],
        [(1, 5), (1, 4)],
        [(1, 0), (1, 5), (1, 5), (1, 4)],  # in another row group
        [(2, 0), (1, 0)],
        [(1, 0), (2, 0), (1, 0)],
        [(1, 0), (None, 0)],
        [(1, 0), (1, None)],
        [(1, -(2**63)), (1, 2**63 - 1)],  # so far apart that 64 bits do not hold it
        [(1, 2**63 - 1), (1, -(2**63))],
        [(1, -(2**63)), *[(1, -(2**63))] * 2, (1, 2**63 - 1)],  # in another row group
    ],
)
def test_what_is_not_in_order_is_left_alone(tmp_path, events):
    assert followed(tmp_path / "events.parquet", events) is None


def test_times_that_are_no_whole_numbers_are_left_alone(tmp_path):
    pq.write_table(pa.table({"user_id": [1], "timestamp": [0.5]}), tmp_path / "events.parquet")
    assert follow(tmp_path / "events.parquet") is None


def test_a_row_group_may_be_empty(tmp_path):
    table = pa.table({"user_id": [1, 1], "timestamp": [0, 5]})
    with pq.ParquetWriter(tmp_path / "events.parquet", table.schema) as writer:
        for part in (table[:0], table, table[:0]):
            writer.write_table(part)
    assert pq.read_metadata(tmp_path / "events.parquet").num_row_groups == 3
    assert follow(tmp_path / "events.parquet").users.to_pylist() == [{"user_id": 1, "events": 2}]


def test_too_many_users_are_left_alone(tmp_path, monkeypatch):
    events = [(user, 0) for user in range(100)]
    assert followed(tmp_path / "events.parquet", events) is not None
    monkeypatch.setattr(successions, "_ROOM", 100)
    assert followed(tmp_path / "events.parquet", events) is None
