"""Bad input that was once read wrongly, lost, or refused without a word of help; one test for each."""

import gzip
import json
import os
import zlib

import duckdb
import pyarrow as pa
import pytest
from pyarrow import parquet

from model_code.events import raw_lines
from model_code.events.engine import EngineSettings
from model_code.events.errors import IngestError
from model_code.events.health import measure
from model_code.events.log_tables import log_tables
from model_code.events.plain_csv import stage_plain
from model_code.events.raw_files import find_files
from model_code.events.raw_lines import count_lines, first_line
from model_code.events.source import CategoryTableSettings, TimeSettings
from model_code.events.split import SplitLog, SplitSettings, split
from model_code.sequences.build import build
from model_code.sequences.settings import SequenceSettings
from tests.model_code.events.raw_logs import ALL, KEYS, T0, events, run, set_aside, write

MARK = b"\xef\xbb\xbf"
ROW = b"1,2,%d\n" % T0


def outcome(tmp_path, content: bytes, name: str = "a.csv", **more):
    (tmp_path / name).write_bytes(content)
    return run(tmp_path / name, tmp_path / "out", **more)


def test_nul_bytes_are_text_like_others(tmp_path):
    lines = [b"1,3,%d\0\n" % T0, b"\0\0\0\n", b"1,a\0b,%d\n" % T0, b"\0" * 50]
    log = outcome(tmp_path, b"u,i,t\n" + ROW + b"".join(lines))
    assert [row[1:3] for row in set_aside(log)] == [
        (3, "unparsable timestamp"),
        (4, "unparsable row"),
        (6, "unparsable row"),
    ]
    assert [event["item_id"] for event in events(log)] == ["2", "a\0b"]


@pytest.mark.parametrize("content", [MARK, MARK + b"\n", b"\n \n", b""])
@pytest.mark.parametrize("header", [None, ("u", "i", "t")])
def test_a_file_of_a_mark_or_of_blank_lines_is_an_empty_one(tmp_path, content, header):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.csv").write_bytes(content)
    (tmp_path / "logs" / "b.csv").write_bytes((b"" if header else b"u,i,t\n") + ROW)
    assert run(tmp_path / "logs", tmp_path / "out", header=header).balance.kept == 1


def test_an_archive_of_no_bytes_is_an_empty_file(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.csv.gz").touch()
    (tmp_path / "logs" / "b.csv.gz").write_bytes(gzip.compress(b"u,i,t\n" + ROW))
    assert run(tmp_path / "logs", tmp_path / "out").balance.kept == 1


def test_a_damaged_archive_is_named(tmp_path, monkeypatch):
    path = tmp_path / "a.csv.gz"
    content = gzip.compress(b"u,i,t\n" + ROW)
    path.write_bytes(content[:10] + b"\xff" * 20)  # no block of this kind
    with pytest.raises(zlib.error):
        gzip.decompress(path.read_bytes())
    for read in (first_line, count_lines):
        with pytest.raises(IngestError, match=r"a\.csv\.gz: cannot be read to its end"):
            read(path)
    table = CategoryTableSettings(path=str(path), item_id="i", category_id="c", format="json_paths")
    path.rename(tmp_path / "c.jsonl.gz")
    table = CategoryTableSettings(
        path=str(tmp_path / "c.jsonl.gz"), item_id="i", category_id="c", format="json_paths"
    )
    with pytest.raises(IngestError, match=r"c\.jsonl\.gz: cannot be read to its end"):
        outcome(tmp_path, b"u,i,t\n" + ROW, categories=table)


def test_a_line_that_no_engine_would_hold_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(raw_lines, "LONGEST_LINE", 1000)
    monkeypatch.setattr(raw_lines, "CHUNK", 100)
    with pytest.raises(IngestError, match=r"a\.csv: line 3 is longer than .* MB"):
        outcome(tmp_path, b"u,i,t\n" + ROW + b"x" * 5000 + b"\n" + ROW)
    with pytest.raises(IngestError, match=r"a\.csv: line 1 is longer than"):
        outcome(tmp_path, b"x" * 5000)


def test_a_first_line_too_long_for_names_is_named(tmp_path):
    with pytest.raises(IngestError, match=r"a\.csv: its first line holds no column names"):
        outcome(tmp_path, b"x" * 200_000 + b"\n" + ROW)


def test_names_that_cannot_be_seen_are_shown(tmp_path):
    with pytest.raises(IngestError, match=r"'u' is missing among '\\ufeffu', i, t"):
        outcome(tmp_path, MARK * 2 + b"u,i,t\n" + ROW)


def test_times_that_no_calendar_writes_are_set_aside(tmp_path):
    bad = ["253402300800000", "-62135596800001", str(2**63 - 2), str(2 - 2**63)]
    good = ["253402300799999", "-62135596800000", *[f"{T0}000"] * 4]
    lines = [f"{number},2,3,pv,{time}" for number, time in enumerate(good + bad)]
    write(tmp_path / "a.csv", "u,i,c,b,t", *lines)
    log = run(tmp_path / "a.csv", tmp_path / "out", ALL, time=TimeSettings(unit="ms"))
    assert log.manifest["quarantine_reasons"] == {"unparsable timestamp": 4}
    assert [row[1] for row in set_aside(log)] == [8, 9, 10, 11]
    with log_tables(log, EngineSettings(threads=1)) as tables:
        health = measure(log, tables, EngineSettings(threads=1))
    assert (health.first, health.last) == (int(good[1]), int(good[0]))


@pytest.mark.parametrize(("unit", "factor"), [("s", 0.001), ("us", 1000), ("iso", None)])
def test_the_same_years_in_other_units(tmp_path, unit, factor):
    times = ["10000-01-01", "9999-12-31"] if factor is None else ["253402300800", "253402300799"]
    times = [time + "000000" if unit == "us" else time for time in times]
    usual = "2017-11-25" if factor is None else str(int(T0 * 1000 * factor))
    write(
        tmp_path / "a.csv",
        "u,i,t",
        *(f"1,{n},{time}" for n, time in enumerate([*times, usual, usual, usual])),
    )
    log = run(tmp_path / "a.csv", tmp_path / "out", time=TimeSettings(unit=unit))
    assert [row[1:3] for row in set_aside(log)] == [(2, "unparsable timestamp")]


def test_a_time_of_thousands_of_digits_is_a_time_that_cannot_be(tmp_path):
    with pytest.raises(IngestError, match=r"no record passes: 1 unparsable timestamp.*check source\.columns"):
        outcome(tmp_path, b"u,i,t\n1,2," + b"9" * 5000 + b"\n")


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32()])
def test_not_a_number_is_a_missing_key(tmp_path, kind):
    users = pa.array([1.5, float("nan"), None], kind)
    parquet.write_table(pa.table({"u": users, "i": [1, 2, 3], "t": [T0] * 3}), tmp_path / "a.parquet")
    log = run(tmp_path / "a.parquet", tmp_path / "out")
    assert [row[1:3] for row in set_aside(log)] == [(2, "missing key"), (3, "missing key")]


def find(path):
    return find_files(str(path), (".csv",), "source.path")


def test_what_a_search_would_pass_over_in_silence_is_refused(tmp_path):
    logs, elsewhere = tmp_path / "logs", tmp_path / "elsewhere"
    for folder in (logs, elsewhere):
        folder.mkdir()
        (folder / "a.csv").touch()
    (logs / ".hidden").symlink_to(elsewhere)
    (logs / "b.csv").symlink_to(elsewhere / "a.csv")
    assert [path.name for path in find(logs).paths] == ["a.csv", "b.csv"]
    (logs / "day").symlink_to(elsewhere)
    with pytest.raises(IngestError, match=r"source\.path: .*day is a link to a folder; give a glob"):
        find(logs)
    assert [path.parent.name for path in find(logs / "*" / "*.csv").paths] == ["day"]
    (logs / "day").unlink()
    (logs / "c.csv").symlink_to(tmp_path / "nothing")
    with pytest.raises(IngestError, match=r"c\.csv is no file, but a link to nothing"):
        find(logs)
    (logs / "c.csv").unlink()
    os.mkfifo(logs / "d.csv")
    for location in (logs, logs / "d.csv", logs / "*.csv"):
        with pytest.raises(IngestError, match=r"d\.csv is no file"):  # opened, it would wait for ever
            find(location)


def test_a_folder_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    (tmp_path / "logs" / "closed").mkdir(parents=True)
    (tmp_path / "logs" / "a.csv").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: path.name != "closed")  # root may read all
    with pytest.raises(IngestError, match=r"closed may not be read; change its permissions"):
        find(tmp_path / "logs")


def test_a_name_that_is_not_utf_8_is_refused(tmp_path):
    (tmp_path / os.fsdecode(b"\xff.csv")).touch()
    with pytest.raises(IngestError, match=r"source\.path: the name of b'.*\\xff\.csv' is not UTF-8"):
        find(tmp_path)


@pytest.mark.parametrize("location", ["**.csv", "a" * 5000 + ".csv", "a" * 5000 + "*.csv"])
def test_a_location_that_cannot_be_looked_up_is_named(tmp_path, location):
    with pytest.raises(
        IngestError, match=r"source\.path: .*(cannot be looked up|holds no log|does not exist)"
    ):
        find(tmp_path / location)


def before_reading(monkeypatch, plain, act):
    """Act when the files were looked through, and before their records are read, plain lines apart or not."""

    def stage(*arguments):
        act()
        return stage_plain(*arguments) if plain else None

    monkeypatch.setattr("model_code.events.ingest.stage_plain", stage)


@pytest.mark.parametrize("plain", [True, False])
def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path, monkeypatch, plain):
    write(tmp_path / "a.csv", "u,i,t", *[f"1,{number},{T0}" for number in range(9)])
    before_reading(monkeypatch, plain, lambda: os.truncate(tmp_path / "a.csv", 60))
    with pytest.raises(IngestError, match=r"a\.csv holds 9 records, but \d were read; did a file change"):
        run(tmp_path / "a.csv", tmp_path / "out")


@pytest.mark.parametrize("plain", [True, False])
def test_a_file_that_goes_away_while_it_is_read_is_named(tmp_path, monkeypatch, plain):
    write(tmp_path / "a.csv", "u,i,t", f"1,2,{T0}")
    before_reading(monkeypatch, plain, (tmp_path / "a.csv").unlink)
    with pytest.raises(IngestError, match=r"a\.csv stopped: (.|\n)*should stay in place"):
        run(tmp_path / "a.csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "fault", [OSError, duckdb.OutOfMemoryException, duckdb.InternalException, pa.ArrowInvalid]
)
def test_later_stages_say_what_stopped_them(tmp_path, monkeypatch, fault):
    log = run(write(tmp_path / "a.csv", "u,i,t", *(f"1,{n},{T0 + n}" for n in range(9))), tmp_path / "log")
    engine = EngineSettings(threads=1)

    def fail(*_, **__):
        raise fault("no room")

    with (
        pytest.raises(IngestError, match=r"validating .*log stopped: no room\n.*enough room"),
        log_tables(log, engine),
    ):
        fail()
    with monkeypatch.context() as patch:
        patch.setattr("model_code.events.split.count_rows", fail)
        with pytest.raises(IngestError, match=r"splitting .*log stopped: no room\n.*enough room"):
            split(log, SplitSettings(), engine, tmp_path / "split")
    parts = split(log, SplitSettings(), engine, tmp_path / "split")
    monkeypatch.setattr("model_code.sequences.build.make_samples", fail)
    with pytest.raises(IngestError, match=r"preparing .*split stopped: no room\n.*enough room"):
        build(SplitLog(parts.path), SequenceSettings(), engine, tmp_path / "sequences")


def test_keys_of_json_written_twice_count_by_the_first(tmp_path):
    line = f'{{"u": 1, "u": 9, "i": 2, "t": {T0}}}'
    (event,) = events(run(write(tmp_path / "a.jsonl", line), tmp_path / "out"))
    assert event["user_id"] == 1
    assert json.loads(line)["u"] == 9  # Python's own reading differs


@pytest.mark.slow
def test_one_user_with_a_million_events(tmp_path):
    with (tmp_path / "a.csv").open("w") as file:
        file.write("u,i,t\n")
        for turn in range(10_000):  # a hundred events, again and again at later times
            file.writelines(f"7,{number},{T0 + 100 * turn + number}\n" for number in range(100))
        file.writelines(f"{user},{user % 50},{T0 + 100 * user}\n" for user in range(100, 10_000))
    engine = EngineSettings(threads=1, memory_limit="500MB")
    log = run(tmp_path / "a.csv", tmp_path / "log", KEYS)
    assert log.balance.kept == 1_009_900
    parts = split(log, SplitSettings(min_interactions=1), engine, tmp_path / "split")
    # The one user has all the items but those of the others: no group of his can be filled.
    with pytest.raises(ValueError, match="can be filled"):
        build(parts, SequenceSettings(negatives_per_positive=1), engine, tmp_path / "sequences")
