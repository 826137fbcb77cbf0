"""Content decides what a set of files is called, and files that cannot have changed are not read again."""

import os
import shutil
import time

import pytest

from model_code import fingerprints
from model_code.files import read_json
from model_code.fingerprints import fingerprint


@pytest.fixture
def log(tmp_path):
    """Two files, old enough to be remembered."""
    folder = tmp_path / "log"
    folder.mkdir()
    for name in ("a.csv", "b.csv"):
        (folder / name).write_text(f"clicks of {name}")
    return folder


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    monkeypatch.setattr(fingerprints, "SETTLED_NS", 0)


@pytest.fixture
def read(monkeypatch):
    """Names of the files that are read."""
    names = []
    checksum = fingerprints.checksum

    def counted(path):
        names.append(path.name)
        return checksum(path)

    monkeypatch.setattr(fingerprints, "checksum", counted)
    return names


def version(folder, memory=None):
    files = {path.name: path for path in folder.iterdir()}
    return fingerprint(files, memory or folder.parent / "memory.json")


def test_neither_touching_nor_copying_nor_order_is_a_new_version(log, tmp_path, read):
    before = version(log)
    for path in log.iterdir():
        os.utime(path, (1, 1))
    assert version(log) == before
    (log / "a.csv").write_text("clicks of a.csv")  # rewritten with the same content
    assert version(log) == before
    shutil.copytree(log, tmp_path / "copy")
    assert version(tmp_path / "copy") == before
    files = [(path.name, path) for path in sorted(log.iterdir(), reverse=True)]
    assert fingerprint(dict(files), tmp_path / "none.json") == before


def test_new_removed_renamed_and_changed_files_are_new_versions(log):
    seen = [version(log)]
    (log / "c.csv").write_text("clicks of c.csv")
    seen.append(version(log))
    (log / "a.csv").unlink()
    seen.append(version(log))
    (log / "c.csv").rename(log / "d.csv")
    seen.append(version(log))
    (log / "d.csv").write_text("")
    seen.append(version(log))
    assert len(set(seen)) == len(seen)


def test_other_content_of_the_same_size_and_time_is_noticed(log):
    before = version(log)
    for exchange in (os.replace, shutil.copy2):  # another inode, or the same one rewritten
        path, other = log / "a.csv", log.parent / "other"
        status = path.stat()
        other.write_text(path.read_text()[::-1])
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        exchange(other, path)
        assert (path.stat().st_size, path.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
        after = version(log)
        assert after != before
        before = after


def test_what_cannot_have_changed_is_not_read_again(log, read):
    version(log)
    assert sorted(read) == ["a.csv", "b.csv"]
    (log / "c.csv").write_text("")
    os.utime(log / "a.csv", (1, 1))
    read.clear()
    version(log)
    assert sorted(read) == ["a.csv", "c.csv"]
    read.clear()
    version(log)
    assert read == []


def test_a_file_younger_than_a_tick_of_the_clock_is_not_remembered(log, monkeypatch, read):
    monkeypatch.setattr(fingerprints, "SETTLED_NS", 60 * 10**9)
    before = version(log)
    assert not (log.parent / "memory.json").exists()
    assert version(log) == before
    assert len(read) == 4


def test_a_file_that_changes_while_it_is_read_is_not_remembered(log, monkeypatch):
    checksum = fingerprints.checksum

    def growing(path):
        found = checksum(path)
        if path.name == "a.csv":
            time.sleep(0.02)  # a file system's clock stands still for some ms
            with path.open("a") as file:
                file.write("!")
        return found

    monkeypatch.setattr(fingerprints, "checksum", growing)
    version(log)
    assert list(read_json(log.parent / "memory.json")) == [str(log / "b.csv")]
