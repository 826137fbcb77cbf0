"""Finding a raw log's files, and counting their lines without the engine, to check its counts."""

from __future__ import annotations

import glob
import gzip
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from model_code.events.errors import IngestError

CHUNK = 1 << 20  # bytes


@dataclass(frozen=True)
class RawFiles:
    """The files of a log in the order of their names, and the folder that their names are relative to."""

    root: Path
    paths: tuple[Path, ...]
    suffix: str  # without ".gz"

    def name(self, path: Path) -> str:
        """The path relative to the log's folder, with slashes."""
        return path.relative_to(self.root).as_posix()


def find_files(location: str, suffixes: Collection[str], setting: str) -> RawFiles:
    """Find the files of a log.

    Args:
        location: a file, a folder (searched recursively) or a glob; hidden files are left out of both.
        suffixes: the known ones, without ".gz".
        setting: the setting that ``location`` comes from, for messages.

    Raises:
        IngestError: if there is no such file, or the files are of several formats.
    """
    root, paths = _candidates(location)
    known = ", ".join(suffixes)
    found = sorted((path for path in paths if _suffix(path) in suffixes), key=lambda path: path.as_posix())
    if not found:
        what = "holds no log" if root.exists() else "does not exist"
        raise IngestError(
            f"{setting}: {location} {what}; it should be a file, a folder or a glob of {known} (.gz too)"
        )
    kinds = sorted({_suffix(path) for path in found})
    if len(kinds) > 1:
        raise IngestError(
            f"{setting}: {location} mixes {' and '.join(kinds)} files; give a glob that picks one kind"
        )
    return RawFiles(root, tuple(found), kinds[0])


def first_line(path: Path) -> str | None:
    """The first line without its line end, or ``None`` if the file is empty.

    Raises:
        IngestError: if it is not UTF-8 or the file cannot be unpacked.
    """
    try:
        with open_bytes(path) as file:
            line = file.readline()
        return line.decode("utf-8-sig").rstrip("\r\n") if line else None
    except (EOFError, OSError, UnicodeDecodeError) as error:
        raise IngestError(f"{path}: cannot be read: {error}") from None


def count_lines(path: Path) -> int:
    """Lines that hold more than white space.

    Raises:
        IngestError: if the file cannot be unpacked to its end.
    """
    count = 0
    rest = b""
    try:
        with open_bytes(path) as file:
            while chunk := file.read(CHUNK):
                lines = (rest + chunk).splitlines(keepends=True)
                rest = lines.pop()
                count += sum(map(bool, map(bytes.strip, lines)))
    except (EOFError, OSError) as error:
        raise IngestError(f"{path}: cannot be read to its end: {error}; is the file cut?") from None
    return count + bool(rest.strip())


def open_bytes(path: Path) -> BinaryIO:
    """Open a file, unpacking .gz."""
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _candidates(location: str) -> tuple[Path, list[Path]]:
    # The engine reports names without ".."; `resolve` would follow links to names without a suffix.
    path = Path(os.path.abspath(location))  # noqa: PTH100
    if path.is_dir():
        return path, _visible_files(path, path.rglob("*"))
    if path.exists() or not glob.has_magic(location):
        return path.parent if path.exists() else path, [path] if path.exists() else []
    fixed = next(place for place, part in enumerate(path.parts) if glob.has_magic(part))
    root = Path(*path.parts[:fixed])
    return root, _visible_files(root, root.glob("/".join(path.parts[fixed:])))


def _visible_files(root: Path, paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if path.is_file() and not _hidden(path.relative_to(root))]


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _suffix(path: Path) -> str:
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix
