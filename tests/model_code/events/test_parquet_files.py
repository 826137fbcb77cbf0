import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model_code.events.parquet_files import count_nulls, number_range

TABLE = pa.table({"n": pa.array([5, None, -3, None, None], pa.int64()), "t": ["b", None, "a", "c", None]})


def test_a_file_tells_its_nulls_and_the_range_of_its_numbers(tmp_path):
    pq.write_table(TABLE, tmp_path / "a.parquet", row_group_size=2)
    assert count_nulls(tmp_path / "a.parquet", "n") == 3
    assert count_nulls(tmp_path / "a.parquet", "t") == 2
    assert number_range(pq.read_metadata(tmp_path / "a.parquet"), "n") == (-3, 9)


def test_a_file_of_no_rows_has_no_numbers(tmp_path):
    pq.write_table(TABLE[:0], tmp_path / "a.parquet")
    assert number_range(pq.read_metadata(tmp_path / "a.parquet"), "n")[1] <= 1


@pytest.mark.parametrize("told", [False, ["t"]])
def test_a_file_need_not_tell_its_nulls(tmp_path, told):
    pq.write_table(TABLE, tmp_path / "a.parquet", write_statistics=told)
    assert count_nulls(tmp_path / "a.parquet", "n") is None
