"""A preparation that is killed, or whose disk is full, leaves each result whole: the old, the new or none."""

import errno
import hashlib
import random
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from model_code.events.errors import IngestError
from tests.model_code.events.killing import (
    RESULTS,
    in_child,
    prepare,
    prepare_and_die,
    prepare_and_note,
    prepare_with_limit,
)
from tests.model_code.events.raw_logs import T0, write


def changes(folder: Path, stages: Sequence[str]) -> list[str]:
    """The changes of files of one preparation, in order."""
    journal = folder.parent / "journal"
    assert in_child(prepare_and_note, folder, journal, stages) == ""
    return journal.read_text().split()


def digest(result: Path) -> str | None:
    """Names and content of a result; ``None`` if it is not there."""
    if not result.exists():
        return None
    files = sorted(path for path in result.rglob("*") if path.is_file())
    content = (f"{path.relative_to(result)}".encode() + path.read_bytes() for path in files)
    return hashlib.sha256(b"".join(content)).hexdigest()


def write_log(folder: Path, seed: int) -> None:
    rng = random.Random(seed)
    rows = [f"{rng.randrange(9)},{rng.randrange(20)},{T0 + rng.randrange(5000)}" for _ in range(90)]
    write(folder / "raw.csv", "u,i,t", *rows)


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """A folder with the results of an old log and, beside them, a new log; and the digests of both."""
    folder = tmp_path_factory.mktemp("prepared") / "before"
    (folder / "spill").mkdir(parents=True)
    digests = []
    for seed in (2, 1):  # the new one first, so that the old results are the ones that stay
        write_log(folder, seed)
        prepare(folder)
        digests.append({name: digest(folder / name) for name in RESULTS})
    write_log(folder, 2)
    return folder, *reversed(digests)


@pytest.fixture
def work(tmp_path, before):
    """A copy of this folder, with another one beside it; and the digests."""
    folder, old, new = before
    for name in ("before", "work"):
        shutil.copytree(folder, tmp_path / name)
    return tmp_path / "work", old, new


def restore(folder: Path) -> None:
    """Bring the old results back; what killed runs left beside them stays."""
    for name in RESULTS:
        shutil.rmtree(folder / name, ignore_errors=True)
        shutil.copytree(folder.parent / "before" / name, folder / name)


def check_whole(folder: Path, old: dict, new: dict) -> None:
    for name in RESULTS:
        assert digest(folder / name) in (old[name], new[name], None), name


def kill_at_each(work, numbers: list[int], stages: Sequence[str]) -> None:
    folder, old, new = work
    for number in numbers:
        restore(folder)
        assert in_child(prepare_and_die, folder, number, stages) is None, f"change {number} did not come"
        check_whole(folder, old, new)
    prepare(folder)  # over all that was left behind
    assert {name: digest(folder / name) for name in RESULTS} == new


def test_a_kill_while_a_result_takes_the_place_of_another_leaves_it_whole(work):
    names = changes(work[0], ["log"])
    last = max(number for number, name in enumerate(names, start=1) if name == "os.rename")
    kill_at_each(work, list(range(last - 4, min(last + 5, len(names)))), ["log"])


@pytest.mark.slow
@pytest.mark.parametrize("stage", RESULTS)
def test_a_kill_at_any_change_of_files_leaves_results_whole(work, stage):
    kill_at_each(work, list(range(1, len(changes(work[0], [stage])) + 1)), [stage])


@pytest.mark.slow
def test_a_kill_at_any_time_leaves_results_whole(work):
    folder, old, new = work
    rng, start = random.Random(0), time.monotonic()
    assert in_child(prepare, folder) == ""
    whole = time.monotonic() - start
    for _ in range(30):
        restore(folder)
        in_child(prepare, folder, kill_after=rng.random() * whole)
        check_whole(folder, old, new)
    prepare(folder)
    assert {name: digest(folder / name) for name in RESULTS} == new


@pytest.mark.parametrize(
    ("stage", "largest"),  # bytes
    [("log", 0), ("log", 1000), ("split", 1000), ("sequences", 300), ("sequences", 700), ("sequences", 1200)],
)
def test_a_file_that_cannot_grow_is_an_error_that_leaves_the_old_results(work, stage, largest):
    folder, old, _ = work
    message = in_child(prepare_with_limit, folder, largest, [stage])
    assert message.startswith("IngestError: "), message
    assert str(folder) in message
    assert "need enough room" in message
    assert {name: digest(folder / name) for name in RESULTS} == old
    assert not [path for path in folder.rglob(".*") if path.suffix in (".tmp", ".old")]


@pytest.mark.parametrize("place", range(4))
def test_a_full_disk_at_any_move_keeps_the_old_result(work, monkeypatch, place):
    folder, old, new = work
    move, calls = Path.replace, []

    def fail(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == place + 1:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return move(path, target)

    monkeypatch.setattr(Path, "replace", fail)
    if place == 3:  # there are three: the manifest, the old folder aside, the new one in its place
        prepare(folder, ["log"])
        assert digest(folder / "log") == new["log"]
        return
    with pytest.raises(IngestError, match=r"No space left on device.*\n.*need enough room"):
        prepare(folder, ["log"])
    assert digest(folder / "log") == old["log"]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*RESULTS, "raw.csv", "spill"])
