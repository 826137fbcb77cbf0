"""The lines of raw files: read many at once, and counted without the engine, to check its counts."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from model_code.events.errors import IngestError
from model_code.events.lent_memory import LentMemory
from model_code.kernels import library

CHUNK = 1 << 20  # bytes
LONGEST_LINE = 1 << 24  # bytes; DuckDB passes over lines of 32 MB
UNPACKING = (EOFError, OSError, zlib.error)  # what reading a file may raise
_TAIL = 1 << 12  # bytes that mostly hold a line end


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
    try:
        for block in whole_lines(path, ends="\n\r"):
            lines, filled = _lines(block)
            count += filled
            passed += lines
    except LongLineError:
        raise _too_long(path, passed + 1) from None
    except UNPACKING as error:
        raise cut_error(path, error) from None
    return count


class LongLineError(Exception):
    """A line is longer than `LONGEST_LINE`."""


def whole_lines(path: Path, ends: str) -> Iterator[NDArray[np.uint8]]:
    """A file's bytes but for a byte order mark at the start, many lines at once, read or unpacked ahead.

    The memory of what is returned is used again once no array refers to it.

    Args:
        path: the file.
        ends: a line feed, or that and the return, which are then line ends alone and together. What follows
            the last one comes at the end, if it is not empty.

    Raises:
        LongLineError: of a line without an end within so many bytes, give or take `CHUNK`.
        EOFError, OSError, zlib.error: see `UNPACKING`.
    """
    blocks = _blocks(path, ends)
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(next, blocks, None)
        while (block := ahead.result()) is not None:
            ahead = pool.submit(next, blocks, None)
            yield block


def _blocks(path: Path, ends: str) -> Iterator[NDArray[np.uint8]]:
    memory = LentMemory()
    with open_bytes(path) as file:
        rest = np.frombuffer(file.read(len(codecs.BOM_UTF8)).removeprefix(codecs.BOM_UTF8), np.uint8)
        while True:
            block = memory.lend(len(rest) + CHUNK)
            block[: len(rest)] = rest
            size = file.readinto(block[len(rest) :])  # type: ignore[attr-defined]
            if not size:
                break
            block = block[: len(rest) + size]
            end = _after_last_end(block, ends)
            rest = block[end:].copy()
            if len(rest) > LONGEST_LINE:
                raise LongLineError
            if end:
                yield block[:end]
    if len(rest):
        yield rest


def _after_last_end(block: NDArray[np.uint8], ends: str) -> int:
    """Where the last whole line of a block ends."""
    for size in (_TAIL, len(block)):
        tail = block[-size:].tobytes()
        end = tail.rfind(b"\n")
        if "\r" in ends:  # one at the very end may be half of an end
            end = max(end, tail.rfind(b"\r", 0, -1))
        if end >= 0:
            return len(block) - len(tail) + end + 1
    return 0


def _lines(block: NDArray[np.uint8]) -> tuple[int, int]:
    """Lines of a block, and those that hold more than white space."""
    count_ends = _count_ends_by_kernel if library.ready() else _count_ends
    feeds, unclear = count_ends(block)
    if not unclear:
        lines = feeds + int(block[-1] != ord("\n"))
        return lines, lines
    found = block.tobytes().splitlines()
    return len(found), sum(map(bool, map(bytes.strip, found)))


def _count_ends(block: NDArray[np.uint8]) -> tuple[int, bool]:
    """Line feeds, and whether a line starts with white space or a return stands without a line feed."""
    feeds, low, returns = block == ord("\n"), block <= ord(" "), block == ord("\r")
    blank = low[0] or (low[1:] & feeds[:-1]).any()
    return int(np.count_nonzero(feeds)), bool(blank or returns[-1] or (returns[:-1] & ~feeds[1:]).any())


def _count_ends_by_kernel(block: NDArray[np.uint8]) -> tuple[int, bool]:
    """The same."""
    counts = np.empty(2, np.int64)
    library.call("count_line_ends", block, len(block), counts)
    feeds, unclear = counts.tolist()
    return feeds, bool(unclear)


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
