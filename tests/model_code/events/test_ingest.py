import gzip
import json
import os
import random
import time

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as budget
from hypothesis import strategies as st
from pyarrow import parquet

from model_code.events.click_log import Balance
from model_code.events.engine import EngineSettings
from model_code.events.errors import IngestError
from model_code.events.ingest import ingest
from model_code.events.source import (
    CategoryTableSettings,
    ColumnSettings,
    SourceSettings,
    TimeSettings,
    WindowSettings,
)
from model_code.settings import SettingsError

KEYS = ColumnSettings(user_id="u", item_id="i", timestamp="t")
ALL = ColumnSettings(user_id="u", item_id="i", timestamp="t", category_id="c", behavior="b")
T0 = 1_511_539_200  # seconds; 2017-11-25 00:00 in Beijing


def run(path, out, columns=KEYS, threads=1, **more):
    return ingest(SourceSettings(path=str(path), columns=columns, **more), EngineSettings(threads=threads), out)


def write(path, *lines, end="\n"):
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def events(log):
    return parquet.read_table(log.events).to_pylist()


def set_aside(log):
    table = parquet.read_table(log.quarantine)
    return [(row["file"], row["line"], row["reason"], row["record"]) for row in table.to_pylist()]


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


def test_duplicates_are_removed_before_unwanted_behaviors(tmp_path):
    rows = [f"1,5,{c},{b},{T0}" for c, b in (("", "pv"), ("9", "pv"), ("2", "pv"), ("2", "buy"), ("2", "buy"))]
    write(tmp_path / "log.csv", "u,i,c,b,t", *rows)
    log = run(tmp_path / "log.csv", tmp_path / "out", ALL, behaviors_kept=("pv",))
    assert log.balance == Balance(raw=5, kept=1, quarantined=0, duplicates=3, filtered_behaviors=1)
    assert [event["category_id"] for event in events(log)] == [2]  # the smallest known one, whatever the order


def raw_lines(rng, count):
    """Random lines of a two-column log, some not UTF-8, blank, short or with quotes, and what becomes of each."""
    for number in range(count):
        kind = rng.choice(["good"] * 20 + ["blank", "bytes", "short", "quoted", "spaces"])
        good = f"{rng.randrange(50)},é{number},{T0 + number}"
        yield {
            "good": (good.encode(), None),
            "quoted": (f'{number},"a,""{number}""",{T0}'.encode(), None),
            "blank": (b"", "blank"),
            "spaces": (b" \t ", "blank"),
            "bytes": (b"1,\xff%d,%d" % (number, T0), "bad"),
            "short": (b"1,%d" % number, "bad"),
        }[kind]


@pytest.mark.parametrize("seed", range(6))
def test_line_numbers_over_files_threads_packing_and_line_ends(tmp_path, seed):
    rng = random.Random(seed)
    folder = tmp_path / "logs"
    folder.mkdir()
    expected, raw = [], 0
    for number, count in enumerate([0, 1, 3000, rng.randrange(60_000), 40]):
        lines = list(raw_lines(rng, count))
        end = rng.choice([b"\n", b"\r\n"])
        head = rng.choice([b"", b"\xef\xbb\xbf"]) + b"u,i,t"
        content = end.join([head, *(text for text, _ in lines)]) + rng.choice([b"", end])
        name = f"{number}.csv" + rng.choice(["", ".gz"])
        (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        raw += sum(fate != "blank" for _, fate in lines)
        expected += [(name, line) for line, (_, fate) in enumerate(lines, start=2) if fate == "bad"]
    (folder / "9.csv").touch()  # an hour without clicks
    log = run(folder, tmp_path / "out", threads=3)
    assert [(file, line) for file, line, _, _ in set_aside(log)] == expected
    assert log.balance.raw == raw
    assert log.balance.kept + log.balance.duplicates == raw - len(expected)
    quoted = [event["item_id"] for event in events(log) if event["item_id"].startswith("a,")]
    assert all(item == f'a,"{item[3:-1]}"' for item in quoted)


def test_the_same_events_from_csv_json_lines_and_parquet(tmp_path):
    big = 2**53 + 1  # not a float64
    rows = [(big, "x", T0), (2**63 - 1, "y", T0 + 1), (7, "x", T0)]
    names = ("u", "i", "t")
    write(tmp_path / "a.csv", ",".join(names), *(",".join(map(str, row)) for row in rows))
    texts = [json.dumps(dict(zip(names, row, strict=True)) | {"more": {"k": 1}}) for row in rows]
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress("\n".join(texts).encode()))
    table = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])
    parquet.write_table(table, tmp_path / "a.parquet")
    logs = [run(tmp_path / f"a{end}", tmp_path / f"out{end}") for end in (".csv", ".jsonl.gz", ".parquet")]
    assert [event["user_id"] for event in events(logs[0])] == [7, big, 2**63 - 1]
    assert len({log.events.read_bytes() for log in logs}) == 1


def test_broken_json_and_empty_parquet_cells_are_set_aside(tmp_path):
    lines = [f'{{"u": 1, "i": 2, "t": {T0}}}', '{"u": 1, "i"', "[1]", '{"u": null, "i": 2, "t": 3}']
    log = run(write(tmp_path / "a.jsonl", *lines), tmp_path / "out")
    assert [(line, reason) for _, line, reason, _ in set_aside(log)] == [
        (2, "unparsable row"),
        (3, "unparsable row"),
        (4, "missing key"),
    ]
    table = pa.Table.from_pylist([{"u": 1, "i": 2, "t": T0}, {"u": None, "i": 2, "t": T0}])
    parquet.write_table(table, tmp_path / "a.parquet")
    (found,) = set_aside(run(tmp_path / "a.parquet", tmp_path / "out2"))
    assert found[:3] == ("a.parquet", 2, "missing key")
    assert json.loads(found[3]) == {"u": None, "i": 2, "t": T0}


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


def test_a_category_table_is_joined_and_its_row_order_does_not_matter(tmp_path):
    write(tmp_path / "a.csv", "u,i,t", *(f"1,{item},{T0 + item}" for item in (1, 2, 3)))
    rows = ["1,20,x", "1,10,x", '2,30,"a,b"', "2,30,x", ",5,x", "9,9"]
    contents = []
    for order in (rows, rows[::-1]):
        write(tmp_path / "items.csv", "item,cat,more", *order)
        table = CategoryTableSettings(path=str(tmp_path / "items.csv"), item_id="item", category_id="cat")
        log = run(tmp_path / "a.csv", tmp_path / "out", categories=table)
        contents.append(log.events.read_bytes())
    assert [event["category_id"] for event in events(log)] == [10, 30, None]
    assert log.manifest["category_table"] == {"rows": 6, "items": 2, "unusable": 2, "conflicts": 1}
    assert contents[0] == contents[1]


def test_taobao_preset_reads_the_headerless_file_with_its_cut_last_row(tmp_path):
    lines = [f"1,2268318,2520377,pv,{T0}", f"1,2,3,buy,{T0}", f"1,2,3,pv,{T0 - 1}", "103070,1968385,1875258,pv"]
    (tmp_path / "UserBehavior.csv").write_text("\n".join(lines))
    source = SourceSettings(path=str(tmp_path / "UserBehavior.csv"), format="taobao")
    log = ingest(source, EngineSettings(threads=1), tmp_path / "out")
    assert log.balance == Balance(raw=4, kept=1, quarantined=2, duplicates=0, filtered_behaviors=1)
    assert [row[1:3] for row in set_aside(log)] == [(3, "outside window"), (4, "unparsable row")]


@pytest.mark.parametrize(
    ("name", "lines", "more", "message"),
    [
        ("a.csv", ["user,i,t", "1,2,3"], {}, r"a\.csv: column 'u' is missing among user, i, t; .*columns\.user_id"),
        ("a.csv", ["u,i,t,u", "1,2,3,4"], {}, "twice"),
        ("a.csv", ["u,i,t"], {}, "holds no record"),
        ("a.csv", ["u,i,t", "1,2"], {}, "no record passes: 1 unparsable row; the first is '1,2'"),
        ("a.csv", ["u,i,t", f"1,2,{T0 * 1000}"], {}, "source.time.unit: ms would fit"),
        ("a.csv", ["u,i,t", f"1,2,{T0}"], {"time": TimeSettings(unit="ms")}, "source.time.unit: s would fit"),
        ("a.csv", ["u,i,t", f"1,2,{T0 * 10**9}"], {}, "source.time.unit: ns would fit"),
        ("a.csv", ["u,i,t", "1,2,2017-11-25"], {}, "source.time.unit: iso would fit"),
        (
            "a.csv",
            ["u,i,t", f"1,2,{T0 * 1000}"],
            {"window": WindowSettings(start="2017-11-01T00:00:00Z", end="2018-01-01T00:00:00Z")},
            "1 outside window.*ms would fit",
        ),
        ("a.csv", ["u,i,t", f"1,2,{T0}"], {"time": TimeSettings(zone="Mars/Base")}, "source.time.zone"),
        ("a.csv", ["u,i,t,b,c", f"1,2,{T0},pv,"], {"columns": ALL}, "source.columns.category_id is empty"),
        (
            "a.csv",
            ["u,i,t,b,c", f"1,2,{T0},pv,5"],
            {"columns": ALL, "behaviors_kept": ("click",)},
            r"behaviors_kept.*there are \['pv'\]",
        ),
        ("a.jsonl", ["{}"], {"header": ("u", "i", "t")}, "source.header"),
        ("a.parquet", ["no"], {}, "not a Parquet file"),
    ],
)
def test_a_log_that_cannot_be_used_says_why_and_leaves_nothing(tmp_path, name, lines, more, message):
    write(tmp_path / name, *lines)
    with pytest.raises((IngestError, SettingsError), match=message):
        run(tmp_path / name, tmp_path / "out", **more)
    assert os.listdir(tmp_path) == [name]


def test_files_of_different_columns_are_refused(tmp_path):
    (tmp_path / "logs").mkdir()
    write(tmp_path / "logs" / "a.csv", "u,i,t", f"1,2,{T0}")
    write(tmp_path / "logs" / "b.csv", "i,u,t", f"2,1,{T0}")
    with pytest.raises(IngestError, match=r"b\.csv has the columns i, u, t.*a\.csv"):
        run(tmp_path / "logs", tmp_path / "out")


def test_mixed_line_ends_in_a_file_are_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"u,i,t\n1,2,%d\r\n1,3,%d\n" % (T0, T0))
    with pytest.raises(IngestError, match="one kind of line end"):
        run(tmp_path / "a.csv", tmp_path / "out")


def test_the_balance_is_checked():
    with pytest.raises(ArithmeticError, match="does not balance"):
        Balance(raw=3, kept=1, quarantined=1, duplicates=0, filtered_behaviors=0).check()


def test_same_bytes_for_any_threads_file_order_and_split_into_files(tmp_path):
    rng = random.Random(0)
    rows = [
        f"u{rng.randrange(20_000)},{rng.randrange(5000)},{T0 + rng.randrange(10_000)}" for _ in range(300_000)
    ]
    rows += rows[:500]
    contents = set()
    for case, (threads, pieces) in enumerate([(1, 1), (2, 1), (3, 7)]):
        folder = tmp_path / str(case)
        folder.mkdir()
        for piece in range(pieces):
            write(folder / f"{piece}.csv", "u,i,t", *rows[piece::pieces])
        log = run(folder, tmp_path / f"out{case}", threads=threads)
        assert log.balance.raw == 300_500
        contents.add(log.events.read_bytes())
        rng.shuffle(rows)
    assert len(contents) == 1
    frame = pd.read_parquet(log.events)
    order = frame.sort_values(["user_id", "timestamp", "item_id"], kind="stable").reset_index(drop=True)
    assert frame.equals(order)


def naive(rows, known, kept):
    """The protocol's order of checks, record by record."""
    counts = dict.fromkeys(("raw", "kept", "quarantined", "duplicates", "filtered_behaviors"), 0)
    seen, events = set(), {}
    for user, item, category, behavior, moment in rows:
        counts["raw"] += 1
        parsed = int(moment) if moment.isdigit() else None
        if (moment and parsed is None) or not (user and item and moment) or behavior not in known:
            counts["quarantined"] += 1
        elif (user, item, parsed, behavior) in seen:
            counts["duplicates"] += 1
        else:
            seen.add((user, item, parsed, behavior))
            counts["kept" if behavior in kept else "filtered_behaviors"] += 1
        if (user, item, parsed, behavior) in seen and behavior in kept and user and item and parsed is not None:
            events.setdefault((user, parsed * 1000, item, behavior), []).append(category)
    table = [
        (user, moment, item, behavior, min((c for c in found if c), default=None))
        for (user, moment, item, behavior), found in events.items()
    ]
    return counts, sorted(table, key=lambda row: row[:4])


ROW = st.tuples(
    st.sampled_from(["a", "b", ""]),
    st.sampled_from(["x", "y", ""]),
    st.sampled_from(["p", "q", ""]),
    st.sampled_from(["pv", "buy", "odd", ""]),
    st.sampled_from([str(T0), str(T0 + 1), "soon", ""]),
)


@given(st.lists(ROW, max_size=40), st.integers(1, 3))
@budget(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_counts_and_events_equal_a_naive_reading(tmp_path_factory, rows, threads):
    rows = [("a", "x", "p", "pv", str(T0)), *rows]  # at least one event
    folder = tmp_path_factory.mktemp("log")
    write(folder / "a.csv", "u,i,c,b,t", *(",".join(row) for row in rows))
    log = run(
        folder / "a.csv",
        folder / "out",
        ALL,
        threads,
        behaviors_known=("pv", "buy"),
        behaviors_kept=("pv",),
    )
    counts, expected = naive(rows, ("pv", "buy"), ("pv",))
    assert log.balance == Balance(**counts)
    names = ("user_id", "timestamp", "item_id", "behavior", "category_id")
    assert [tuple(event[name] for name in names) for event in events(log)] == expected
