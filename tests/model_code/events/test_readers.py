import gzip
import json
import random

import pyarrow as pa
import pytest
from pyarrow import parquet

from model_code.events.errors import IngestError
from model_code.events.source import ColumnSettings
from tests.model_code.events.raw_logs import T0, events, run, set_aside, write


def raw_lines(rng, count):
    """Random lines, some not UTF-8, blank, short or quoted, and what should become of each."""
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
    lines = [f'{{"u": 1, "i": 2, "t": {T0}}}', '{"u": 1, "i"', "[1]", f'{{"u": null, "i": 2, "t": {T0}}}']
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


@pytest.mark.parametrize("location", ["a/../logs/a.csv", "a/../logs/*.csv", "a/../logs"])
def test_a_path_that_goes_up_loses_no_record(tmp_path, location):
    (tmp_path / "a").mkdir()
    (tmp_path / "logs").mkdir()
    write(tmp_path / "logs" / "a.csv", "u,i,t", f"1,2,{T0}", "1,2")
    log = run(f"{tmp_path}/{location}", tmp_path / "out")
    assert set_aside(log) == [("a.csv", 3, "unparsable row", "1,2")]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
@pytest.mark.parametrize("folder", ["i=7", "line=3", "filename=3", "u=x"])
def test_folders_called_like_columns_change_nothing(tmp_path, folder, name):
    path = tmp_path / "log" / folder / name
    path.parent.mkdir(parents=True)
    rows = [{"u": 1, "i": 2, "t": T0}, {"u": 1, "i": None, "t": T0}]
    if name == "a.csv":
        write(path, "u,i,t", f"1,2,{T0}", f"1,,{T0}")
    elif name == "a.jsonl":
        write(path, *map(json.dumps, rows))
    else:
        parquet.write_table(pa.Table.from_pylist(rows), path)
    log = run(tmp_path / "log", tmp_path / folder / "out")
    assert [(event["user_id"], event["item_id"]) for event in events(log)] == [(1, 2)]
    assert [(file, reason) for file, _, reason, _ in set_aside(log)] == [(f"{folder}/{name}", "missing key")]


@pytest.mark.parametrize("other", [pa.float64(), pa.string()])
def test_parquet_files_of_different_types_are_refused(tmp_path, other):
    (tmp_path / "logs").mkdir()
    for name, kind in (("a", pa.int64()), ("b", other)):
        table = pa.table({"u": pa.array([1]), "i": pa.array([7]).cast(kind), "t": pa.array([T0])})
        parquet.write_table(table, tmp_path / "logs" / f"{name}.parquet")
    with pytest.raises(
        IngestError, match=rf"b\.parquet has the columns u int64, i {other}, t int64.*i int64"
    ):
        run(tmp_path / "logs", tmp_path / "out")


def test_parquet_files_may_differ_in_how_texts_are_encoded_and_in_columns_of_no_use(tmp_path):
    (tmp_path / "logs").mkdir()
    kinds = (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string()))
    for number, kind in enumerate(kinds):
        more = pa.array([1.5]) if number else pa.nulls(1)
        table = pa.table({"u": pa.array(["007"]).cast(kind), "i": [number], "t": [T0], "more": more})
        parquet.write_table(table, tmp_path / "logs" / f"{number}.parquet")
    log = run(tmp_path / "logs", tmp_path / "out")
    assert [(event["user_id"], event["item_id"]) for event in events(log)] == [("007", n) for n in range(3)]


@pytest.mark.parametrize("value", [b"\xaa", [1], {"k": 1}])
def test_parquet_columns_that_are_no_text_are_refused(tmp_path, value):
    parquet.write_table(pa.table({"u": [value], "i": [1], "t": [T0]}), tmp_path / "a.parquet")
    with pytest.raises(IngestError, match=r"a\.parquet: column 'u' is of type .*source\.columns\.user_id"):
        run(tmp_path / "a.parquet", tmp_path / "out")


def test_parquet_columns_may_have_any_name(tmp_path):
    table = pa.table({"U": [5], "u": [1], "i": [2], "t": [T0], "filename": ["x"]})
    parquet.write_table(table, tmp_path / "a.parquet")
    (event,) = events(run(tmp_path / "a.parquet", tmp_path / "out"))
    assert (event["user_id"], event["item_id"]) == (1, 2)
    columns = ColumnSettings(user_id="filename", item_id="U", timestamp="t")
    (event,) = events(run(tmp_path / "a.parquet", tmp_path / "out", columns))
    assert (event["user_id"], event["item_id"]) == ("x", 5)


def test_json_keys_may_be_of_any_script_and_nested_ids_are_set_aside(tmp_path):
    columns = ColumnSettings(user_id="用户", item_id="élément", timestamp="t")
    rows = [{"用户": 1, "élément": item, "t": T0} for item in (2, {"id": 2}, [2], "[2]")]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    log = run(write(tmp_path / "a.jsonl", *lines), tmp_path / "out", columns)
    assert [event["item_id"] for event in events(log)] == ["2", "[2]"]
    assert [row[1:3] for row in set_aside(log)] == [(2, "unparsable row"), (3, "unparsable row")]


def test_a_file_with_carriage_returns_alone_is_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"u,i,t\r1,2,%d\r" % T0)
    with pytest.raises(IngestError, match=r"a\.csv: lines end in a carriage return"):
        run(tmp_path / "a.csv", tmp_path / "out")
