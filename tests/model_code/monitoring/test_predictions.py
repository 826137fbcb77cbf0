"""A prediction log and its labels: what is joined, what is counted, and what is refused."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model_code.monitoring.prediction_log import LABELS, SCHEMA
from model_code.monitoring.predictions import PredictionLogError, observe_predictions
from model_code.sequences.vocabulary import Vocabulary

VOCABULARY = Vocabulary(
    items=pa.table(
        {
            "id": [2, 3, 4],
            "item_id": [10, 20, 30],
            "category": pa.array([2, 3, 1], pa.int32()),
            "count": [8, 1, 1],
        }
    ),
    categories=pa.table({"id": [2, 3], "category_id": ["a", "b"], "count": [5, 5]}),
    users=pa.table({"id": [2], "user_id": [7], "count": [10]}),
)


def row(request, item, position=0, **changes):
    return {
        "request_id": request,
        "time": 100,
        "model_version": "1",
        "user_id": "7",
        "item_id": item,
        "position": position,
        "score": 0.25,
        "history_length": 3,
        "last_event_time": 40,
    } | changes


def write(folder, rows, name="part.parquet", schema=SCHEMA):
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / name)
    return folder


def observed(folder, labels=None):
    return observe_predictions(folder, labels, VOCABULARY, "1", 0, 1_000)


def label(request, item, clicked):
    return {"request_id": request, "item_id": item, "clicked": clicked}


def test_rows_are_seen_through_the_models_vocabulary(tmp_path):
    rows = [
        row("r", "10"),
        row("r", "30", 1),
        row("r", "99", 2, user_id=None, last_event_time=None),
        row("s", "20", time=200, user_id="8"),
    ]
    found, counts = observed(write(tmp_path / "log", rows))
    table = found.table.to_pydict()
    assert found.kind == "predictions"
    assert table["item_known"] == [True, True, False, True]
    assert table["category"] == ["a", None, None, "b"]
    assert table["category_known"] == [True, None, None, True]
    assert table["user_known"] == [True, True, None, False]
    assert table["popularity_decile"] == [7, 2, 0, 2]
    assert table["gap_ms"] == [60, 60, None, 160]
    assert table["label"] == [None] * 4
    assert table["source"] == [None] * 4
    assert counts.in_words() == ()


def test_a_user_is_a_unit_and_without_one_a_request_is(tmp_path):
    rows = [
        row("r", "10"),
        row("s", "10"),
        row("t", "10", user_id=None),
        row("t", "20", user_id=None),
        row("u", "10", user_id=None),
        row("v", "10", user_id="t"),
    ]
    found, _ = observed(write(tmp_path / "log", rows))
    user = found.column("user").tolist()
    assert user[0] == user[1]
    assert user[2] == user[3]
    assert len(set(user)) == 4


def test_only_the_window_and_the_version_count(tmp_path):
    rows = [
        row("r", "10"),
        row("s", "10", time=1_000),
        row("t", "10", time=-1),
        row("u", "10", model_version="2"),
    ]
    found, counts = observed(write(tmp_path / "log", rows))
    assert len(found) == 1
    assert counts.other_versions == 1
    assert "1 rows of other model versions were passed over" in counts.in_words()


def test_repeats_and_scores_that_are_none_are_counted_and_left_out(tmp_path):
    rows = [
        row("r", "10", score=0.5),
        row("r", "10", score=0.1, time=90),
        row("r", "20", 1, score=float("nan")),
        row("r", "30", 2, score=1.5),
    ]
    found, counts = observed(write(tmp_path / "log", rows))
    assert found.column("score").tolist() == [pytest.approx(0.1)]
    assert (counts.repeats, counts.bad_scores) == (1, 2)


def test_labels_are_joined_wherever_they_lie(tmp_path):
    log = write(tmp_path / "log", [row("r", "10"), row("r", "20", 1), row("s", "10", time=50)])
    write(log, [row("old", "10", time=5_000)], "later.parquet")
    labels = write(tmp_path / "labels", [label("r", "10", 0), label("old", "10", 1)], "1.parquet", LABELS)
    write(labels, [label("r", "10", 1), label("s", "10", 0), label("x", "10", 1)], "2.parquet", LABELS)
    found, counts = observed(log, labels)
    assert dict(zip(found.column("time"), found.table["label"].to_pylist(), strict=True)) == {
        50: 0,
        100: None,
    }
    assert found.table["label"].to_pylist() == [0, 1, None]
    assert (counts.labels, counts.repeated_labels, counts.unknown_labels) == (5, 1, 1)


def test_files_that_are_being_written_are_passed_over(tmp_path):
    log = write(tmp_path / "log", [row("r", "10")])
    (log / ".part-2.parquet.tmp").write_bytes(b"half")
    (log / ".part-3.parquet").write_bytes(b"half")
    assert len(observed(log)[0]) == 1


def test_a_log_of_many_rows_keeps_each_with_its_label(tmp_path):
    rng = np.random.default_rng(0)
    rows = [row(f"r{k}", str(item), score=float(rng.random())) for k in range(300) for item in (10, 20)]
    told = [label(entry["request_id"], entry["item_id"], int(entry["score"] > 0.5)) for entry in rows]
    rng.shuffle(told)
    found, _ = observed(write(tmp_path / "log", rows), write(tmp_path / "labels", told, schema=LABELS))
    assert (found.table["label"].to_numpy() == (found.column("score") > 0.5)).all()


def test_an_empty_window_is_no_error(tmp_path):
    found, _ = observed(write(tmp_path / "log", [row("r", "10", time=5_000)]))
    assert len(found) == 0


def test_what_is_no_such_log_is_named(tmp_path):
    with pytest.raises(PredictionLogError, match=r"nowhere: holds no Parquet file of a prediction log"):
        observed(tmp_path / "nowhere")
    (tmp_path / "bad").mkdir()
    pq.write_table(pa.table({"request_id": ["r"]}), tmp_path / "bad" / "x.parquet")
    with pytest.raises(PredictionLogError, match=r"x.parquet: column time is missing, should be int64"):
        observed(tmp_path / "bad")
    log = write(tmp_path / "log", [row("r", "10")])
    labels = write(tmp_path / "labels", [label("r", "10", 2)], schema=LABELS)
    with pytest.raises(PredictionLogError, match=r"clicked is 2 for request 'r', item '10'"):
        observed(log, labels)
