"""Files that arrive late, twice or in another order give the log that they would have given at once."""

import gzip
import hashlib
import random
import shutil
from dataclasses import asdict, replace

import pytest

from model_code.events.click_log import Balance
from model_code.events.engine import EngineSettings
from model_code.events.ingest import ingest
from model_code.events.simulate import DEMO, write_demo_log
from model_code.events.source import ColumnSettings, SourceSettings, TimeSettings, WindowSettings
from model_code.events.split import SplitSettings, split
from model_code.sequences.build import build
from model_code.sequences.settings import SequenceSettings
from tests.model_code.events.raw_logs import ALL, KEYS, T0, run, write

ENGINE = EngineSettings(threads=1)
DAYS = 6
SIMULATION = replace(DEMO, days=DAYS, users=150, clicks=3_000, items=150, categories=12, interests=6)
SOURCE = SourceSettings(
    path="clicks",
    columns=ColumnSettings(
        **{name: name for name in ("user_id", "item_id", "category_id", "behavior", "timestamp")}
    ),
    time=TimeSettings(unit="ms"),
    behaviors_known=("pv", "cart", "fav", "buy"),
    behaviors_kept=("pv",),
    window=WindowSettings(start="2024-03-04T00:00:00+00:00"),
)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A folder of daily files with bad rows, as they should be."""
    folder = tmp_path_factory.mktemp("log") / "clicks"
    write_demo_log(SIMULATION, folder)
    return folder


@pytest.fixture(scope="module")
def plain(log, tmp_path_factory):
    return prepare(log, tmp_path_factory.mktemp("plain"))


def prepare(folder, out):
    """Click log and digests of what training gets of it."""
    clicks = ingest(replace(SOURCE, path=str(folder)), ENGINE, out / "log")
    parted = split(clicks, SplitSettings(), ENGINE, out / "split")
    build(parted, SequenceSettings(negative_block=200), ENGINE, out / "sequences")
    return clicks, digests(out / "sequences")


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).digest() for path in files}


def same_file(folder):
    shutil.copy(folder / "clicks_2024-03-06.csv.gz", folder / "copy.csv.gz")
    return "clicks_2024-03-06.csv.gz", {"copy.csv.gz"}


def unpacked_beside(folder):
    packed = folder / "clicks_2024-03-06.csv.gz"
    (folder / "clicks_2024-03-06.csv").write_bytes(gzip.decompress(packed.read_bytes()))
    return "clicks_2024-03-06.csv", {packed.name}


def other_order_and_line_ends(folder):
    header, *lines = gzip.decompress((folder / "clicks_2024-03-06.csv.gz").read_bytes()).splitlines()
    random.Random(0).shuffle(lines)
    (folder / "z.csv").write_bytes(b"\r\n".join([header, *lines]))
    return "clicks_2024-03-06.csv.gz", {"z.csv"}


def whole_log_in_a_file(folder):
    files = sorted(folder.iterdir())
    contents = [gzip.decompress(file.read_bytes()).splitlines(keepends=True) for file in files]
    lines = [contents[0][0], *(line for content in contents for line in content[1:])]
    (folder / "a_month.csv").write_bytes(b"".join(lines))
    return "a_month.csv", {file.name for file in files}


@pytest.mark.parametrize(
    "repeat", [same_file, unpacked_beside, other_order_and_line_ends, whole_log_in_a_file]
)
def test_a_repeated_file_counts_once_and_is_named(log, plain, repeat, tmp_path):
    folder = tmp_path / "clicks"
    shutil.copytree(log, folder)
    larger, repeated = repeat(folder)
    clicks, sequences = prepare(folder, tmp_path)
    assert sequences == plain[1]
    assert clicks.events.read_bytes() == plain[0].events.read_bytes()
    assert clicks.behaviors.read_bytes() == plain[0].behaviors.read_bytes()
    before, after = asdict(plain[0].balance), asdict(clicks.balance)
    more = {name: after[name] - before[name] for name in before}
    assert more["kept"] == more["filtered_behaviors"] == 0
    assert more["raw"] == more["duplicates"] + more["quarantined"] > 0
    found = clicks.manifest["repeated_files"]
    assert {item["file"] for item in found} == repeated
    assert all(item["found_in"] == {larger: item["events"]} for item in found)
    if len(repeated) == 1:
        assert found[0]["records"] == more["duplicates"]
    assert plain[0].manifest["repeated_files"] == []


def test_neither_order_of_arrival_nor_names_of_files_matter(log, plain, tmp_path):
    """Each day's file arrives under a name that says nothing, the latest day first."""
    folder = tmp_path / "clicks"
    folder.mkdir()
    for number, file in enumerate(sorted(log.iterdir(), reverse=True)):
        shutil.copy(file, folder / f"{number}.csv.gz")
    clicks, sequences = prepare(folder, tmp_path)
    assert sequences == plain[1]
    assert clicks.balance == plain[0].balance
    for name in ("events", "behaviors"):
        assert getattr(clicks, name).read_bytes() == getattr(plain[0], name).read_bytes()


def test_a_late_file_gives_what_the_whole_log_gives(log, plain, tmp_path):
    folder = tmp_path / "clicks"
    shutil.copytree(log, folder)
    late = folder / "clicks_2024-03-06.csv.gz"
    late.rename(tmp_path / "late")
    without, _ = prepare(folder, tmp_path)
    assert without.balance.raw < plain[0].balance.raw
    (tmp_path / "late").rename(late)
    assert prepare(folder, tmp_path)[1] == plain[1]


def test_overlapping_exports_count_the_overlap_once_and_repeat_no_file(tmp_path):
    rows = [f"1,{item},{T0 + item}" for item in range(30)]
    folder = tmp_path / "log"
    folder.mkdir()
    write(folder / "a.csv", "u,i,t", *rows[:20])
    write(folder / "b.csv", "u,i,t", *rows[10:])
    log = run(folder, tmp_path / "out")
    assert log.balance == Balance(raw=40, kept=30, quarantined=0, duplicates=10, filtered_behaviors=0)
    assert log.manifest["repeated_files"] == []


def test_records_without_a_behavior_repeat_each_other_too(tmp_path):
    folder = tmp_path / "log"
    folder.mkdir()
    for name in ("a.csv", "b.csv"):
        write(folder / name, "u,i,c,b,t", f"1,5,2,,{T0}", f"1,6,2,pv,{T0}", f"1,6,2,pv,{T0}")
    log = run(folder, tmp_path / "out", ALL)
    [found] = log.manifest["repeated_files"]
    assert found == {"file": "b.csv", "records": 3, "events": 2, "found_in": {"a.csv": 2}}


def naive(files):
    """Files of which each event is in a larger one, or in one as large that comes before by name."""
    found = {}
    for name, events in files.items():
        before = [other for other, held in files.items() if (-len(held), other) < (-len(events), name)]
        if events and events <= set().union(*(files[other] for other in before)):
            found[name] = len(events)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_repeated_files_are_those_of_a_naive_search(seed, tmp_path):
    rng = random.Random(seed)
    folder = tmp_path / "log"
    folder.mkdir()
    sets = [{rng.randrange(12) for _ in range(rng.randrange(1, 9))} for _ in range(6)]
    files = dict(zip(("a.csv", "b.csv", "c.csv", "d.csv", "e.csv", "f.csv"), sets, strict=True))
    for name, events in files.items():
        write(folder / name, "u,i,t", *(f"1,{event},{T0}" for event in events))
    found = run(folder, tmp_path / "out", KEYS).manifest["repeated_files"]
    assert {item["file"]: item["events"] for item in found} == naive(files)
    for item in found:
        assert sum(item["found_in"].values()) == item["events"]
        assert item["file"] not in item["found_in"]
