from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_code.events.dense_counts import count_numbers
from model_code.kernels import library

pytestmark = pytest.mark.skipif(not library.ready(), reason="there are no kernels")


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.none() | st.integers(-2, 2), min_size=10),
    st.sampled_from([0, -(2**63) + 2, 2**63 - 3]),
    st.integers(1, 9),
)
def test_equals_a_counter(tmp_path_factory, numbers, middle, group_rows):
    numbers = [None if number is None else number + middle for number in numbers]
    path = tmp_path_factory.mktemp("counts") / "a.parquet"
    pq.write_table(pa.table({"n": pa.array(numbers, pa.int64())}), path, row_group_size=group_rows)
    found = count_numbers(path, "n").to_pydict()
    assert dict(zip(found["n"], found["events"], strict=True)) == Counter(filter(_known, numbers))
    assert found["n"] == sorted(found["n"])


def _known(number):
    return number is not None


@pytest.mark.parametrize("numbers", [[], [1, 10**9], ["1", "2"], [0.5, 1.5]])
def test_what_fits_no_table_is_left_alone(tmp_path, numbers):
    pq.write_table(pa.table({"n": numbers}), tmp_path / "a.parquet")
    assert count_numbers(tmp_path / "a.parquet", "n") is None


def test_a_file_that_says_wrong_things_of_itself_is_left_alone(tmp_path, monkeypatch):
    pq.write_table(pa.table({"n": [1, 2, 3, 1]}), tmp_path / "a.parquet")
    monkeypatch.setattr("model_code.events.dense_counts.number_range", lambda *_: (1, 2))
    assert count_numbers(tmp_path / "a.parquet", "n") is None


def test_tables_that_would_take_too_much_memory_are_not_made(tmp_path, monkeypatch):
    pq.write_table(pa.table({"n": [1, 2, 3, 1]}), tmp_path / "a.parquet")
    assert count_numbers(tmp_path / "a.parquet", "n").num_rows == 3
    monkeypatch.setattr("model_code.events.dense_counts._ROOM", 3 * 8 * 3)
    assert count_numbers(tmp_path / "a.parquet", "n") is None
