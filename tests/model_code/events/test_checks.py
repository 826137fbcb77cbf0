import time

import pytest

from model_code.events.click_log import Balance
from model_code.events.source import TimeSettings, WindowSettings
from tests.model_code.events.raw_logs import ALL, T0, events, run, set_aside, write


def test_each_check_in_order_with_file_line_reason_and_record(tmp_path):
    lines = [
        "u,i,c,b,t",
        f"1,10,7,pv,{T0}",
        "",
        f"2,10,7,pv,{T0},9",  # too many fields
        f'"open,10,7,pv,{T0}',  # would swallow the lines after it
        f"3,,7,nope,{T0 - 1}",  # missing key goes before unknown behavior
        ",10,7,pv,soon",  # an unparsable timestamp goes before a missing key
        f"4,10,7,nope,{T0 - 1}",  # unknown behavior goes before the window
        f"5,10,7,pv,{T0 - 1}",
        f"6,10,7,pv,{T0 + 100}",  # the end is outside
        f"7,10,,buy,{T0 + 99}",
        "8,10,7,pv,1511539200.0",
        "9,10,7",
    ]
    write(tmp_path / "log.csv", *lines)
    log = run(
        tmp_path / "log.csv",
        tmp_path / "out",
        ALL,
        behaviors_known=("pv", "buy"),
        window=WindowSettings(start="2017-11-25T00:00:00+08:00", end="2017-11-25T00:01:40+08:00"),
    )
    reasons = {
        4: "unparsable row",
        5: "unparsable row",
        6: "missing key",
        7: "unparsable timestamp",
        8: "unknown behavior",
        9: "outside window",
        10: "outside window",
        12: "unparsable timestamp",
        13: "unparsable row",
    }
    assert set_aside(log) == [("log.csv", line, why, lines[line - 1]) for line, why in reasons.items()]
    assert events(log) == [
        {"user_id": 1, "item_id": 10, "category_id": 7, "timestamp": T0 * 1000, "behavior": "pv"},
        {"user_id": 7, "item_id": 10, "category_id": None, "timestamp": (T0 + 99) * 1000, "behavior": "buy"},
    ]
    assert log.balance == Balance(raw=11, kept=2, quarantined=9, duplicates=0, filtered_behaviors=0)
    assert sum(log.manifest["quarantine_reasons"].values()) == 9
    assert log.manifest["events_without_category"] == 1


@pytest.mark.parametrize(
    ("unit", "text", "expected"),
    [
        ("s", "1511539200", 1511539200000),
        ("ms", "1511539200123", 1511539200123),
        ("us", "1511539200123999", 1511539200123),
        ("ns", "1511539200123999999", 1511539200123),
        ("iso", "2017-11-25 00:00:00", 1511539200000),
        ("iso", "2017-11-25T00:00:00.123+08:00", 1511539200123),
        ("iso", "2017-11-24T16:00:00Z", 1511539200000),
        ("iso", "2017-11-24T16:00:00.123999Z", 1511539200123),
    ],
)
@pytest.mark.parametrize("zone", ["America/New_York", "UTC"])
def test_time_is_exact_in_any_machine_time_zone(tmp_path, monkeypatch, unit, text, expected, zone):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    source = TimeSettings(unit=unit, zone="Asia/Shanghai")
    log = run(write(tmp_path / "a.csv", "u,i,t", f"1,2,{text}"), tmp_path / "out", time=source)
    monkeypatch.undo()
    time.tzset()
    assert events(log)[0]["timestamp"] == expected


def test_times_before_1970_round_down(tmp_path):
    lines = [f"1,{number},{value}" for number, value in enumerate([-1, -1000, -1001] + [T0 * 10**6] * 5)]
    log = run(write(tmp_path / "a.csv", "u,i,t", *lines), tmp_path / "out", time=TimeSettings(unit="us"))
    assert {e["item_id"]: e["timestamp"] for e in events(log) if e["item_id"] < 3} == {0: -1, 1: -1, 2: -2}


def test_times_that_are_no_times_are_set_aside(tmp_path):
    bad = ["infinity", "1", "soon", "2017-13-01"]
    lines = ["1,1,2017-11-25", *(f"1,1,{text}" for text in bad)]
    log = run(write(tmp_path / "a.csv", "u,i,t", *lines), tmp_path / "out", time=TimeSettings(unit="iso"))
    assert log.manifest["quarantine_reasons"] == {"unparsable timestamp": 4}


@pytest.mark.parametrize(
    ("rule", "ids", "kind", "bad"),
    [
        ("auto", ["1", "-5"], "BIGINT", 0),
        ("auto", ["1", "007"], "VARCHAR", 0),
        ("auto", ["1", "1.0"], "VARCHAR", 0),
        ("auto", ["1", "1e5"], "VARCHAR", 0),
        ("auto", ["1", "9223372036854775808"], "VARCHAR", 0),
        ("integer", ["1", "007"], "BIGINT", 1),
        ("string", ["1", "5"], "VARCHAR", 0),
    ],
)
def test_id_rules(tmp_path, rule, ids, kind, bad):
    lines = [f"{text},2,{T0}" for text in ids]
    log = run(write(tmp_path / "a.csv", "u,i,t", *lines), tmp_path / "out", ids=rule)
    assert log.manifest["id_types"]["user_id"] == kind
    assert log.balance.quarantined == bad
    assert {str(event["user_id"]) for event in events(log)} == set(ids[: len(ids) - bad])
