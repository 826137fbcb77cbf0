"""The prediction log: what was answered is in it, and its troubles are nobody else's."""

import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model_code.monitoring.prediction_log import SCHEMA
from model_code.serving.metrics import Metrics
from model_code.serving.prediction_log import Answered, PredictionLog
from model_code.serving.settings import PredictionLogSettings

UNSEEN = 10**9


def read(folder):
    return [pq.read_table(path) for path in sorted(folder.glob("[!.]*"))]


def rows(folder):
    return pa.concat_tables(read(folder)).to_pylist()


def test_answers_are_logged_when_the_server_ends(serve, tmp_path):
    client, began = serve(model_version="v7"), time.time_ns() // 1_000_000
    asked = [
        {
            "history": [1, UNSEEN, *range(10)],
            "candidates": [3, UNSEEN, 3],
            "last_event_time": 77,
            "user_id": 5,
        },
        {"user_id": UNSEEN, "candidates": [1]},  # refused
        {"user_id": 3, "candidates": [4]},
        {"history": [2], "candidates": [5, 6]},
    ]
    answers = [client.post("/rank", json=body).json() for body in asked]
    assert not (tmp_path / "log").exists()
    client.__exit__(None, None, None)
    (table,) = read(tmp_path / "log")
    assert table.schema.equals(SCHEMA)
    found = table.to_pylist()
    assert [row["item_id"] for row in found] == ["3", str(UNSEEN), "3", "4", "5", "6"]
    assert [row["position"] for row in found] == [0, 1, 2, 0, 0, 1]
    assert [row["user_id"] for row in found] == ["5"] * 3 + ["3", None, None]
    assert [row["history_length"] for row in found] == [6] * 4 + [1] * 2
    assert [row["last_event_time"] for row in found][:3] + [row["last_event_time"] for row in found][4:] == (
        [77] * 3 + [None] * 2
    )
    assert 0 < found[3]["last_event_time"] < 1_000_000  # of the log
    answered = [answer for answer in answers if "candidates" in answer]
    expected = [(answer["request_id"], one) for answer in answered for one in answer["candidates"]]
    for row, (request_id, candidate) in zip(found, expected, strict=True):
        assert row["request_id"] == request_id
        assert row["score"] == candidate["probability"]
        assert row["model_version"] == "v7"
        assert began <= row["time"] <= time.time_ns() // 1_000_000
    assert len({row["request_id"] for row in found}) == 3


@pytest.fixture
def make(tmp_path):
    """Make a log with settings; it is closed at last."""
    logs = []

    def make_log(**changes):
        defaults = {"folder": str(tmp_path / "log"), "seconds_per_file": 3600.0}
        logs.append(PredictionLog(PredictionLogSettings(**defaults | changes), "v", Metrics()))
        return logs[-1]

    yield make_log
    for log in logs:
        log.close()


def answered(request, count):
    items = pa.array([f"{request}-{place}" for place in range(count)])
    return Answered(request, 1, None, items, np.full(count, 0.5, np.float32), 2, None)


def outcome(log, name):
    return log._metrics.log_rows.labels(name)._value.get()


def wait_for(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_file_is_written_by_number_of_rows(make, tmp_path):
    log = make(rows_per_file=10)
    for number in range(4):
        log.add(answered(f"r{number}", 3))
    wait_for(lambda: outcome(log, "written") >= 10)
    log.add(answered("last", 1))
    assert outcome(log, "written") == 12
    log.close()
    assert [table.num_rows for table in read(tmp_path / "log")] in ([12, 1], [1, 12])
    assert len({row["item_id"] for row in rows(tmp_path / "log")}) == 13


def test_a_file_is_written_by_time(make, tmp_path):
    log = make(seconds_per_file=0.05)
    log.add(answered("r", 2))
    wait_for(lambda: outcome(log, "written") == 2)
    assert len(rows(tmp_path / "log")) == 2
    time.sleep(0.2)
    assert len(read(tmp_path / "log")) == 1  # nothing new, no file


def test_what_cannot_be_written_waits_and_what_has_no_room_is_dropped(make, tmp_path, caplog):
    (tmp_path / "log").write_text("in the way")
    log = make(seconds_per_file=0.05, rows_in_memory=5)
    log.add(answered("kept", 3))
    wait_for(lambda: log._metrics.log_failures._value.get() >= 2)
    log.add(answered("dropped", 3))
    log.add(answered("also kept", 2))
    (tmp_path / "log").unlink()
    wait_for(lambda: outcome(log, "written") == 5)
    assert outcome(log, "dropped") == 3
    assert {row["request_id"] for row in rows(tmp_path / "log")} == {"kept", "also kept"}
    assert "3 rows wait" in caplog.text
    assert not list((tmp_path / "log").glob(".*"))


def test_a_failure_is_not_retried_without_a_pause(make, tmp_path):
    (tmp_path / "log").write_text("in the way")
    log = make(rows_per_file=2, seconds_per_file=3600.0)
    for number in range(50):
        log.add(answered(f"r{number}", 3))
        time.sleep(0.002)
    assert log._metrics.log_failures._value.get() == 1


def test_a_backlog_is_written_in_files_each_once(make, tmp_path, monkeypatch):
    (tmp_path / "log").write_text("in the way")
    log = make(rows_per_file=5)
    for number in range(7):
        log.add(answered(f"r{number}", 2))
    wait_for(lambda: log._metrics.log_failures._value.get() == 1)
    (tmp_path / "log").unlink()
    write, calls = pq.write_table, []

    def fail_once(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError("the disk is full")
        write(*arguments, **options)

    monkeypatch.setattr(pq, "write_table", fail_once)
    assert [log._write(), log._write(), log._write()] == [False, True, True]
    assert sorted(table.num_rows for table in read(tmp_path / "log")) == [2, 6, 6]
    assert len({row["item_id"] for row in rows(tmp_path / "log")}) == 14
    assert (outcome(log, "written"), len(calls)) == (14, 4)


def test_answers_that_make_no_file_are_dropped_and_later_ones_are_written(make, tmp_path, caplog):
    log = make(seconds_per_file=0.05)
    log.add(answered("bad", 3)._replace(items=pa.array(["too few"])))
    wait_for(lambda: outcome(log, "dropped") == 3)
    log.add(answered("good", 2))
    wait_for(lambda: outcome(log, "written") == 2)
    assert {row["request_id"] for row in rows(tmp_path / "log")} == {"good"}
    assert log._metrics.log_failures._value.get() == 1
    assert "3 rows are dropped, they make no file" in caplog.text
    assert not list((tmp_path / "log").glob(".*"))


def test_what_is_lost_at_the_end_is_counted(make, tmp_path, caplog):
    (tmp_path / "log").write_text("in the way")
    log = make()
    log.add(answered("r", 3))
    log.close()
    assert outcome(log, "dropped") == 3
    assert "3 rows are lost" in caplog.text


def test_a_log_that_cannot_be_written_fails_no_request(serve, tmp_path):
    (tmp_path / "file").write_text("")
    settings = PredictionLogSettings(folder=str(tmp_path / "file" / "log"), rows_per_file=1)
    client = serve(prediction_log=settings)
    for _ in range(5):
        assert client.post("/rank", json={"history": [1], "candidates": [2]}).status_code == 200
    wait_for(lambda: "deminet_prediction_log_failures_total 1.0" in client.get("/metrics").text)
