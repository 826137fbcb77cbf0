"""Spark against DuckDB: the same log gives the same events, quarantine and counts."""

import gzip
import json
import random
from dataclasses import replace

import pyarrow as pa
import pytest
from pyarrow import parquet

from model_code.events.engine import SparkSettings
from model_code.events.errors import IngestError
from model_code.events.ingest import ingest
from model_code.events.source import ColumnSettings, SourceSettings, TimeSettings, WindowSettings
from tests.model_code.events.both_engines import SPARK, both, needs_spark
from tests.model_code.events.raw_logs import ALL, KEYS, T0, events, set_aside, write

pytestmark = [pytest.mark.slow, needs_spark]

WINDOW = WindowSettings(start="2017-11-25T00:00:00+08:00", end="2017-11-25T00:01:40+08:00")


def test_a_row_of_each_reason(tmp_path):
    lines = [
        b"u,i,c,b,t",
        b"1,10,7,pv,%d" % T0,
        b"",
        b" \t ",
        b"2,10,7,pv,%d,9" % T0,
        b'"open,10,7,pv,%d' % T0,
        b"\xff,10,7,pv,%d" % T0,
        b"3,,7,nope,%d" % (T0 - 1),
        b",10,7,pv,soon",
        b"x,10,7,pv,%d" % T0,
        b"4,10,7,nope,%d" % (T0 - 1),
        b"5,10,7,pv,%d" % (T0 - 1),
        b"6,10,7,pv,%d" % (T0 + 100),
        b"7,10,,buy,%d" % (T0 + 99),
        b"8,10,7,pv,1511539200.0",
        b"u,i,c,b,t",
        b"1,10,7,pv,%d" % T0,
        b"9,10,7",
    ]
    (tmp_path / "log.csv").write_bytes(b"\n".join(lines))
    rules = {"behaviors_known": ("pv", "buy"), "behaviors_kept": ("pv",), "window": WINDOW, "ids": "integer"}
    log = both(tmp_path / "log.csv", tmp_path, ALL, **rules)
    assert log.manifest["quarantine_reasons"] == {
        "unparsable row": 4,
        "unparsable timestamp": 3,
        "id not an integer": 1,
        "missing key": 1,
        "unknown behavior": 1,
        "outside window": 2,
    }
    assert [line for _, line, _, _ in set_aside(log)] == [5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 18]
    balance = log.balance
    assert (balance.raw, balance.kept, balance.duplicates, balance.filtered_behaviors) == (15, 1, 1, 1)


def raw_lines(rng, count):
    """Random lines: sound, not UTF-8, blank, short, quoted, and quoted in ways that are broken."""
    kinds = ["good"] * 20 + [
        "blank",
        "bytes",
        "short",
        "quoted",
        "spaces",
        "odd",
        "nul",
        "no_character",
        "separator",
    ]
    for number in range(count):
        yield {
            "good": f"{rng.randrange(50)},é{number},{T0 + number}".encode(),
            "quoted": f'{number},"a,""{number}""",{T0}'.encode(),
            "blank": b"",
            "spaces": b" \t ",
            "bytes": b"1,\xff%d,%d" % (number, T0),
            "short": b"1,%d" % number,
            "odd": rng.choice([b'"', b'a"b,"c",%d', b'"a"b,c,1', b",,", b'"","",""', b'"a","b",1"']),
            "nul": b"\x00\x01,%d,%d" % (number, T0),
            "no_character": f"{number},\U0010ffff,{T0}".encode(),
            "separator": f'"a"\u2028,{number},{T0}\u2028'.encode(),
        }[rng.choice(kinds)]


@pytest.mark.parametrize("seed", range(3))
def test_lines_over_files_pieces_packing_and_line_ends(tmp_path, seed):
    rng = random.Random(seed)
    folder = tmp_path / "lo gs" / "u=1+%20é"
    folder.mkdir(parents=True)
    for number, count in enumerate([0, 1, 3000, rng.randrange(20_000), 40]):
        end = rng.choice([b"\n", b"\r\n"])
        head = rng.choice([b"", b"\xef\xbb\xbf"]) + b"u,i,t"
        content = end.join([head, *raw_lines(rng, count)]) + rng.choice([b"", end])
        name = f"{number} [a]*.csv" + rng.choice(["", ".gz"])
        (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    (folder / "9.csv").touch()
    pieces = {"spark.sql.files.maxPartitionBytes": "20000", "spark.sql.files.openCostInBytes": "0"}
    in_pieces = replace(SPARK, spark=SparkSettings(conf={**SPARK.spark.conf, **pieces}))
    log = both(tmp_path / "lo gs", tmp_path, engine=in_pieces)
    assert log.balance.quarantined


def test_long_lines_and_lines_of_nothing_but_quotes(tmp_path):
    fields = [
        b"x" * 1_900_000,
        b"x" * 2_100_000,
        b'"' + b'""' * 20_000 + b'"',
        b'"' * 20_001,
        b'"",' * 20_000,
    ]
    lines = [b"1,%s,%d" % (field, T0) for field in [b"2", *fields]]
    (tmp_path / "a.csv").write_bytes(b"\n".join([b"u,i,t", *lines]))
    log = both(tmp_path / "a.csv", tmp_path)
    assert [row[1] for row in set_aside(log)] == [4, 6, 7]


def test_a_log_without_a_header_and_with_a_byte_order_mark(tmp_path):
    lines = [f"{u},{u * 7 % 11},{T0 + u}" for u in range(50)]
    (tmp_path / "a.csv").write_bytes("\r\n".join(["\ufeff1,2,3", *lines, "1,2"]).encode())
    log = both(tmp_path / "a.csv", tmp_path, header=("u", "i", "t"), window=WINDOW)
    assert [row[1:3] for row in set_aside(log)] == [(1, "outside window"), (52, "unparsable row")]


def test_ids_as_texts_sort_by_bytes_and_duplicates_take_the_smallest_category(tmp_path):
    rng = random.Random(0)
    ids = ["é", "Z", "a", "0", "00", "10", "9", "ａ", "😀", "~", "a b", '"x"']
    quoted = ['"' + name.replace('"', '""') + '"' for name in ids]
    rows = [
        f"{rng.choice(quoted)},{rng.choice(quoted)},{rng.choice(['', *quoted])},"
        f"{rng.choice(['pv', 'buy', ''])},{T0 + rng.randrange(3)}"
        for _ in range(3000)
    ]
    log = both(write(tmp_path / "a.csv", "u,i,c,b,t", *rows), tmp_path, ALL)
    assert log.balance.duplicates
    assert {event["user_id"] for event in events(log)} == set(ids)


def test_json_lines(tmp_path):
    columns = ColumnSettings(user_id="用户", item_id="a.b", timestamp="t")
    ids = [
        2,
        2**63 - 1,
        12345678901234567890,
        1.5,
        True,
        None,
        "2",
        "[2]",
        "é\n",
        "",
        {"id": 2},
        [2],
        "\\u0041",
    ]
    lines = [
        json.dumps({"用户": 1, "a.b": item, "t": T0, "more": {"t": [1]}}, ensure_ascii=False) for item in ids
    ]
    good = lines[0]
    lines += [
        good + " x",
        good + good,
        good + "," + good,
        good + "]",
        good + "}",
        " " + good + " ",
        "[1]",
        "null",
    ]
    lines += ['{"t": 1', "", '"text"', "{}", f'{{"t": {T0}.0}}', "{'t': 1}", '{"用户": "\\u00e9", "t": "x"}']
    raw = "\n".join(lines).encode() + b'\n{"t": "\xff"}\n'
    (tmp_path / "a.jsonl").write_bytes(raw)
    log = both(tmp_path / "a.jsonl", tmp_path, columns)
    assert log.balance.kept > 5


def test_times_in_all_units(tmp_path):
    for unit, factor in (("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)):
        moments = [T0 * factor + n for n in range(5)] + [
            -1,
            -1000,
            -1001,
            -(10**6) - 1,
            "+5",
            "007",
            2**63 - 1,
            2**63,
        ]
        lines = [f"1,{number},{moment}" for number, moment in enumerate(moments)]
        folder = tmp_path / unit
        folder.mkdir()
        both(write(folder / "a.csv", "u,i,t", *lines), folder, time=TimeSettings(unit=unit))


def test_times_as_texts(tmp_path):
    dates = [
        "2017-11-25",
        "2017-1-5",
        "2017/11/25",
        "20171125",
        "12017-01-01",
        "2017-02-29",
        "2017-11",
        "2017",
        "now",
    ]
    times = [
        "",
        "T08:00",
        "T08:00:00",
        " 08:00:00",
        " 8:0:0",
        " 08:00:00.5",
        "T08:00:00.123999",
        " 08",
        " 23:59:60",
    ]
    zones = [
        "",
        "Z",
        "+08",
        "+08:00",
        "+0800",
        " UTC",
        "UTC",
        " +08:00",
        "-03:30",
        " Asia/Shanghai",
        "+8",
        "GMT+8",
    ]
    texts = [date + time + zone for date in dates for time in times for zone in zones]
    # The hours that New York has not, and has twice.
    texts += [
        "2017-03-12 02:30:00",
        "2017-11-05 01:30:00",
        "2017-11-05 01:30:00-04:00",
        "1969-12-31 23:59:59.9995",
    ]
    texts += ["infinity", "today", "T00:00", "soon"]
    lines = [f"1,{number},{text}" for number, text in enumerate(texts)]
    zone = TimeSettings(unit="iso", zone="America/New_York")
    log = both(write(tmp_path / "a.csv", "u,i,t", *lines), tmp_path, time=zone)
    assert log.balance.kept > 50
    assert log.balance.quarantined > 50


def test_parquet(tmp_path):
    table = pa.table(
        {
            "U": pa.array([0] * 6),
            "u": pa.array([1, 2, 3, None, 5, 2**62], pa.uint64()),
            "i": pa.array(["a", "", "é", "b", None, "a"]).dictionary_encode(),
            "t": pa.array([T0 + n for n in range(6)]),
        }
    )
    (tmp_path / "log").mkdir()
    for number in range(2):
        parquet.write_table(table, tmp_path / "log" / f"{number}.parquet", row_group_size=2)
    log = both(tmp_path / "log", tmp_path)
    assert [row[:2] for row in set_aside(log)] == [
        (f"{number}.parquet", line) for number in range(2) for line in (2, 4, 5)
    ]


def test_times_of_parquet_files(tmp_path):
    for zone in (None, "UTC"):
        moments = pa.array([T0 * 10**6 + n for n in range(6)]).cast(pa.timestamp("us", zone))
        out = tmp_path / str(zone)
        out.mkdir()
        parquet.write_table(pa.table({"u": range(6), "i": range(6), "t": moments}), out / "a.parquet")
        both(out / "a.parquet", out, time=TimeSettings(unit="iso", zone="Asia/Shanghai"))


@pytest.mark.parametrize("kind", [pa.float64(), pa.timestamp("ns")])
def test_what_spark_cannot_read_exactly_is_refused(tmp_path, kind):
    table = pa.table({"u": [1], "i": pa.array([1]).cast(kind), "t": [T0]})
    parquet.write_table(table, tmp_path / "a.parquet")
    source = SourceSettings(path=str(tmp_path / "a.parquet"), columns=KEYS)
    with pytest.raises(IngestError, match=r"a\.parquet.*leave engine\.name out"):
        ingest(source, SPARK, tmp_path / "out")
