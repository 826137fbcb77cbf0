"""Writing files so that a crash leaves either the old one, the new one or none, never a half."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Folder:
    """A handle to a folder of results: small, whatever the folder holds."""

    path: Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it takes the place of ``path``, else it is removed.

    Works for a file or for a folder, whichever the body creates. A process that is killed leaves temporary
    paths behind, which nothing reads.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    _remove(temporary)
    try:
        yield temporary
        if temporary.is_dir() and os.path.lexists(path):
            _replace_folder(path, temporary)
        else:
            temporary.replace(path)
    finally:
        _remove(temporary)


def _replace_folder(path: Path, new: Path) -> None:
    """Move the old one aside whole before it is removed: half removed, it could be taken for a result."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.old")
    _remove(aside)
    path.replace(aside)
    try:
        new.replace(path)
    except OSError:
        aside.replace(path)
        raise
    _remove(aside)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, keys in the order given; NaN is an error."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
