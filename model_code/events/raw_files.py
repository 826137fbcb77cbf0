"""Finding a raw log's files, and counting their lines without the engine, to check its counts."""

from __future__ import annotations

import codecs
import glob
import gzip
import os
import zlib
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from model_code.events.errors import IngestError

CHUNK = 1 << 20  # bytes
LONGEST_LINE = 1 << 24  # bytes; DuckDB passes over lines of 32 MB
UNPACKING = (EOFError, OSError, zlib.error)  # what reading a file may raise


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
        IngestError: if there is no such file, the files are of several formats, or something is called like a
            file of the log but cannot be read as one.
    """
    try:
        root, paths = _candidates(location)
    except (OSError, ValueError) as error:
        raise IngestError(f"{setting}: {location!r} cannot be looked up: {error}") from None
    known = ", ".join(suffixes)
    found = sorted((path for path in paths if _suffix(path) in suffixes), key=lambda path: path.as_posix())
    for path in found:
        _check_name(path, setting)
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
        IngestError: if it is not UTF-8 or too long, or the file cannot be unpacked.
    """
    try:
        with open_bytes(path) as file:
            line = file.readline(LONGEST_LINE + 1)
    except UNPACKING as error:
        raise cut_error(path, error) from None
    if len(line) > LONGEST_LINE and b"\r" not in line:
        raise _too_long(path, 1)
    try:
        return line.decode("utf-8-sig").rstrip("\r\n") if line else None
    except UnicodeDecodeError as error:
        raise IngestError(f"{path}: its first line is not UTF-8: {error}; write the file as UTF-8") from None


def count_lines(path: Path) -> int:
    """Lines that hold more than white space, or a byte order mark at the start.

    Raises:
        IngestError: if the file cannot be unpacked to its end, or has a line longer than `LONGEST_LINE`.
    """
    count = passed = 0
    rest = b""
    try:
        with open_bytes(path) as file:
            for chunk in chunks(file):
                whole, rest = _cut(rest + chunk)
                lines, filled = _lines(whole)
                count += filled
                passed += lines
                if len(rest) > LONGEST_LINE:
                    raise _too_long(path, passed + 1)
    except UNPACKING as error:
        raise cut_error(path, error) from None
    return count + bool(rest.strip())


def _cut(block: bytes) -> tuple[bytes, bytes]:
    """A block's whole lines, and what follows their last end; that of a last "\\r" may be yet to come."""
    end = max(block.rfind(b"\n"), block.rfind(b"\r", 0, -1)) + 1
    return block[:end], block[end:]


def _lines(block: bytes) -> tuple[int, int]:
    """Lines of a block of whole ones, and those that hold more than white space."""
    codes = np.frombuffer(block, dtype=np.uint8)
    ends, low = codes == ord("\n"), codes <= ord(" ")
    may_be_blank = low[:1].any() or (low[1:] & ends[:-1]).any()  # a line starts with white space
    lone_return = b"\r" in block and block.count(b"\r") != block.count(b"\r\n")
    if not may_be_blank and not lone_return:
        count = int(np.count_nonzero(ends))
        return count, count
    lines = block.splitlines()
    return len(lines), sum(map(bool, map(bytes.strip, lines)))


def chunks(file: BinaryIO) -> Iterator[bytes]:
    """A file's bytes without a byte order mark at the start, some at a time, and read, or unpacked, ahead."""
    yield file.read(len(codecs.BOM_UTF8)).removeprefix(codecs.BOM_UTF8)
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(file.read, CHUNK)
        while chunk := ahead.result():
            ahead = pool.submit(file.read, CHUNK)
            yield chunk


def cut_error(path: Path, error: Exception) -> IngestError:
    """What to say of a file that cannot be read to its end."""
    return IngestError(f"{path}: cannot be read to its end: {error}; is the file cut, or no archive?")


def _too_long(path: Path, line: int) -> IngestError:
    return IngestError(
        f"{path}: line {line} is longer than {LONGEST_LINE >> 20} MB; do lines end in a line feed? "
        "Remove or shorten it"
    )


def open_bytes(path: Path) -> BinaryIO:
    """Open a file, unpacking .gz."""
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _candidates(location: str) -> tuple[Path, list[Path]]:
    # The engine reports names without ".."; `resolve` would follow links to names without a suffix.
    path = Path(os.path.abspath(location))  # noqa: PTH100
    if path.is_dir():
        return path, [found for found in _visible(path, path.rglob("*")) if not _is_folder(found)]
    if path.exists() or not glob.has_magic(location):
        return path.parent if path.exists() else path, [path] if path.exists() else []
    fixed = next(place for place, part in enumerate(path.parts) if glob.has_magic(part))
    root = Path(*path.parts[:fixed])
    matches = _visible(root, root.glob("/".join(path.parts[fixed:])))
    return root, [match for match in matches if not match.is_dir()]


def _visible(root: Path, paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if not _hidden(path.relative_to(root))]


def _is_folder(path: Path) -> bool:
    """Whether what a search came upon is a folder; raises an `OSError` if the search cannot go into it."""
    if not path.is_dir():
        return False
    if path.is_symlink():
        raise OSError(f"{path} is a link to a folder; give a glob that goes through it, as folder/*/*.csv")
    if not os.access(path, os.R_OK | os.X_OK):
        raise OSError(f"{path} may not be read; change its permissions")
    return True


def _check_name(path: Path, setting: str) -> None:
    if not path.is_file():
        raise IngestError(f"{setting}: {path} is no file, but a link to nothing or a device; remove it")
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise IngestError(f"{setting}: the name of {os.fsencode(path)!r} is not UTF-8; rename it") from None


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _suffix(path: Path) -> str:
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix
