"""What a set of files holds, as one hash; a file is read anew only where it may have changed.

A file keeps its hash while its size, inode and times are those that it was hashed with. The time of the last
change of the inode is among them, which no program can set: content that is exchanged for other content of
the same size, with the old modification time put back, is noticed all the same.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from model_code.checksums import checksum
from model_code.files import read_json, write_json

SETTLED_NS = 2_000_000_000  # clocks of file systems may tick as slowly as this

Memory = dict[str, tuple[list[int], str]]  # stamp and hash by path


def fingerprint(files: Mapping[str, Path], memory: Path) -> str:
    """Hash of the names and contents of files; their order, folders and times do not matter.

    Args:
        files: by the name that counts.
        memory: JSON file of what was found before, renewed here; it may be deleted at any time.
    """
    known: Memory = {path: (stamp, found) for path, (stamp, found) in _read(memory).items()}
    seen = dict(known)
    hashes = {name: _hash(path, seen) for name, path in sorted(files.items())}
    if seen != known:
        with suppress(OSError):  # it only saves time
            write_json(memory, seen)
    return hashlib.sha256(json.dumps(hashes).encode()).hexdigest()


def _hash(path: Path, seen: Memory) -> str:
    """The file's hash, from memory if it cannot have changed; what is new is put there."""
    before = _stamp(path)
    stamp, found = seen.pop(str(path), (None, ""))
    if stamp != before:
        began = time.time_ns()
        found = checksum(path)
        # A file that changes while it is read, or might within the same tick of its clock, is read again.
        if _stamp(path) != before or before[-1] > began - SETTLED_NS:
            return found
    seen[str(path)] = (before, found)
    return found


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns]


def _read(memory: Path) -> dict[str, list]:
    return read_json(memory) if memory.is_file() else {}
