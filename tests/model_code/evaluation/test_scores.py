from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model_code.evaluation.scores import SCHEMA, ScoresError, read_scores, write_scores
from tests.model_code.evaluation.conftest import score_columns, write_columns


def batch(ids, label=None):
    columns = {field.name: np.zeros(len(ids)) for field in SCHEMA} | {"sample_id": ids}
    columns["label"] = np.zeros(len(ids)) if label is None else label
    arrays = [
        pa.array(np.asarray(columns[field.name]).astype(field.type.to_pandas_dtype())) for field in SCHEMA
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def test_batches_are_counted_and_read_back_in_order_of_sample_id(tmp_path):
    path = tmp_path / "scores.parquet"
    assert write_scores(path, [batch([3, 4], label=[1, 0]), batch([0, 1, 2])]) == 5
    scores = read_scores(path)
    assert scores.sample_id.tolist() == [0, 1, 2, 3, 4]
    assert scores.label.tolist() == [0, 0, 0, 1, 0]
    assert scores.label.dtype == np.int8
    assert scores.score.dtype == np.float32


def test_every_column_is_read_back_as_it_was_written(tmp_path):
    columns = score_columns(1.0)
    backwards = {name: column[::-1] for name, column in columns.items()}
    for name, written in {"forwards": columns, "backwards": backwards}.items():
        scores = read_scores(write_columns(tmp_path / name, written))
        for field in SCHEMA:
            column = scores.read(field.name)
            assert column.dtype == field.type.to_pandas_dtype()
            np.testing.assert_array_equal(column, columns[field.name])


def test_columns_of_many_values_are_written_without_a_dictionary(tmp_path):
    path = write_columns(tmp_path / "scores.parquet", score_columns(1.0))
    columns = pq.ParquetFile(path).metadata.row_group(0).to_dict()["columns"]
    dictionary = {column["path_in_schema"] for column in columns if column["has_dictionary_page"]}
    assert dictionary == {"user", "label", "history_length"}


def test_the_fingerprint_is_the_digest_of_whole_columns(tmp_path):
    columns = score_columns(1.0)
    whole = b"".join(columns[name].tobytes() for name in ("sample_id", "user", "label"))
    read = read_scores(write_columns(tmp_path / "scores.parquet", columns))
    assert read.fingerprint() == hashlib.sha256(whole).hexdigest()


def test_the_fingerprint_follows_samples_and_labels_not_row_order(tmp_path):
    prints = []
    for name, batches in {
        "a": [batch([0, 1], label=[0, 1])],
        "b": [batch([1], label=[1]), batch([0])],
        "c": [batch([0, 1], label=[1, 0])],
        "d": [batch([0, 2], label=[0, 1])],
    }.items():
        write_scores(tmp_path / name, batches)
        prints.append(read_scores(tmp_path / name).fingerprint())
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "scores.parquet"
    write_scores(path, [batch([0])])

    def failing():
        yield batch([1])
        raise RuntimeError("scoring stopped")

    with pytest.raises(RuntimeError, match="scoring stopped"):
        write_scores(path, failing())
    assert read_scores(path).sample_id.tolist() == [0]
    assert list(tmp_path.iterdir()) == [path]


def test_wrong_tables_are_refused_by_name(tmp_path):
    path = tmp_path / "scores.parquet"
    write_scores(path, [batch([0, 1]), batch([1])])
    with pytest.raises(ScoresError, match="sample 1 is there more than once"):
        read_scores(path)
    write_scores(path, [])
    with pytest.raises(ScoresError, match="no samples"):
        read_scores(path)
    pq.write_table(pa.table({"sample_id": [1]}), path)
    with pytest.raises(ScoresError, match=r"scores.parquet has the columns sample_id int64, should have"):
        read_scores(path)
