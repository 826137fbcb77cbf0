"""Lines of CSV that a kernel splits into numbers and words, and those that it leaves to the engine."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

from model_code.events.engines.duckdb import NO_DELIMITER
from model_code.events.lent_memory import LentMemory
from model_code.events.raw_lines import UNPACKING, LongLineError, whole_lines
from model_code.events.readers.reader import Layout
from model_code.kernels import library

PASSED_OVER, NUMBER, TEXT, WORD = range(4)  # as in plain_csv.c
_TYPES = {NUMBER: pa.int64(), TEXT: pa.string_view(), WORD: pa.uint8()}  # in order of the batches' columns
_WORD_ROOM = 32  # as in plain_csv.c
MOST_WORDS = 64
_MOST_ODD = 4096  # lines of a block, and no more than one in `_ODD_SHARE` of them, or a few
_ODD_SHARE, _FEW = 8, 64
_MOST_ODD_BYTES = 64 << 20  # of a log: they are kept in this process
_LONGEST_ODD = 1 << 20  # bytes of a line; DuckDB sets longer ones than 2 MB aside
_ODD = pa.schema({"file": pa.string(), "row": pa.int64(), "record": pa.string()})


class PlainLines:
    """The plain lines of some files, and aside, the others.

    Attributes:
        paths: the files.
        schema: of the batches: ``file``, a place in ``paths``, ``row``, ``record``, and the wanted columns by
            canonical name, of which ``behavior`` is a place in ``words``.
        plain: how many lines there were.
        complete: whether each line came to be in one of the two; known at the end, as the others are.
        odd: the other lines: ``file``, ``row`` and ``record``.
        failure: what went wrong that is not the log's fault; the engine would blame the log for it.
    """

    def __init__(
        self, paths: Sequence[Path], layout: Layout, texts: Collection[str], known: Sequence[str]
    ) -> None:
        if layout.names is None:
            raise ValueError("the fields of a CSV line have no names of their own")
        if len(known) > MOST_WORDS:
            raise ValueError(f"{len(known)} behaviors are known, at most {MOST_WORDS} can be")
        self.paths, self._header_line = paths, layout.header_line
        canonical = {raw: name for name, raw in layout.columns.items()}
        names = [canonical.get(raw) for raw in layout.names]  # in file order
        unlike = dict.fromkeys(texts, TEXT) | {"behavior": WORD, None: PASSED_OVER}
        kinds = [unlike.get(name, NUMBER) for name in names]
        self._kinds = np.array(kinds, dtype=np.int64)
        self._names = {
            kind: [name for name, other in zip(names, kinds, strict=True) if name and other == kind]
            for kind in _TYPES
        }
        fixed = {"file": pa.int32(), "row": pa.int64(), "record": pa.string_view()}
        self.schema = pa.schema(
            fixed | {name: _TYPES[kind] for kind, names in self._names.items() for name in names}
        )
        self._known = known
        self._word_table, self._word_count = _word_table(known), np.array([len(known)])
        self._memory = LentMemory()
        self.plain, self.complete = 0, False
        self.odd: list[pa.RecordBatch] = []
        self._odd_bytes = 0
        self.failure: BaseException | None = None

    @property
    def words(self) -> list[str]:
        """The behaviors known beforehand, and those that were found; complete at the end."""
        found = self._word_table[len(self._known) : self._word_count[0]]
        return [*self._known, *(word[1 : 1 + word[0]].tobytes().decode() for word in found)]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Read the files; stops early at what only the engine's own reader can judge."""
        try:
            for file, path in enumerate(self.paths):
                row = 0
                for block in _blocks(path, self._header_line):
                    lines, plain = self._split(block, row, file)
                    yield plain
                    row += lines
                    self.plain += len(plain)
        except (*UNPACKING, LongLineError, _NotPlainError, UnicodeDecodeError):
            return
        except GeneratorExit:
            raise
        except BaseException as failure:
            self.failure = failure
            return
        self.complete = True

    def _split(self, block: NDArray[np.uint8], first_row: int, file: int) -> tuple[int, pa.RecordBatch]:
        """How many lines a block has, and the plain ones; raises `_NotPlainError` if too many are not."""
        room = len(block) // (2 * len(self._kinds)) + 1
        many_numbers, many_texts, many_codes = map(len, self._names.values())
        row, numbers, record, texts, codes = self._arrays(
            (np.int64, (room,)),
            (np.int64, (many_numbers, room)),
            (np.int32, (room, 4)),
            (np.int32, (many_texts, room, 4)),
            (np.uint8, (many_codes, room)),
        )
        odd, odd_row = np.empty((_MOST_ODD, 2), np.int64), np.empty(_MOST_ODD, np.int64)
        counts = np.empty(3, np.int64)
        words = (codes, MOST_WORDS, self._word_table, self._word_count)
        outputs = (room, numbers, texts, *words, record, row, _MOST_ODD, odd, odd_row, counts)
        library.call("read_plain_csv", block, len(block), len(self._kinds), self._kinds, *outputs)
        lines, plain, odds = counts.tolist()
        if odds < 0 or odds > max(_FEW, lines // _ODD_SHARE):
            raise _NotPlainError
        row += first_row
        if odds:
            self._put_aside(block, odd[:odds], odd_row[:odds] + first_row, file)
        columns = [np.full(plain, file, np.int32), row[:plain], _views(record[:plain], block)]
        columns += [column[:plain] for column in numbers]
        columns += [_views(column[:plain], block) for column in texts]
        columns += [column[:plain] for column in codes]
        return lines, pa.RecordBatch.from_arrays(list(map(pa.array, columns)), schema=self.schema)

    def _arrays(self, *kinds: tuple[DTypeLike, tuple[int, ...]]) -> Iterator[NDArray]:
        """Arrays of these types and shapes in lent memory; wider numbers go first, so all are aligned."""
        sizes = [np.dtype(dtype).itemsize * int(np.prod(shape)) for dtype, shape in kinds]
        memory = self._memory.lend(sum(sizes))
        for (dtype, shape), size in zip(kinds, sizes, strict=True):
            yield memory[:size].view(dtype).reshape(shape)
            memory = memory[size:]

    def _put_aside(
        self, block: NDArray[np.uint8], odd: NDArray[np.int64], row: NDArray[np.int64], file: int
    ) -> None:
        found = [block[start:end].tobytes() for start, end in odd.tolist()]
        self._odd_bytes += sum(map(len, found))
        if self._odd_bytes > _MOST_ODD_BYTES:
            raise _NotPlainError
        if any(b"\r" in line or b"\0" in line or len(line) > _LONGEST_ODD for line in found):
            raise _NotPlainError
        texts = [line.decode() if line.strip() else None for line in found]  # a blank line is no record
        if any(text and NO_DELIMITER in text for text in texts):
            raise _NotPlainError
        files = pa.array([str(self.paths[file])] * len(row), pa.string())
        self.odd.append(
            pa.RecordBatch.from_arrays([files, pa.array(row), pa.array(texts, pa.string())], schema=_ODD)
        )


class _NotPlainError(Exception):
    """There is something, or too much, that is not plain."""


def _word_table(known: Sequence[str]) -> NDArray[np.uint8]:
    """Return (MOST_WORDS, _WORD_ROOM), each word's length and bytes, without words that are too long."""
    table = np.zeros((MOST_WORDS, _WORD_ROOM), np.uint8)
    for row, word in zip(table, map(str.encode, known), strict=False):
        if len(word) < len(row):
            row[: len(word) + 1] = [len(word), *word]
    return table


def _blocks(path: Path, header_line: bool) -> Iterator[NDArray[np.uint8]]:
    """Whole lines of a file, many at once, each with a line end; without the first one if that is a header.

    Raises:
        LongLineError: if a line is too long.
        _NotPlainError: if the header's end is that of another system.
        EOFError, OSError, zlib.error: see `UNPACKING`.
    """
    feed = np.uint8(ord("\n"))
    for found in whole_lines(path, ends="\n"):
        block = found if found[-1] == feed else np.append(found, feed)
        start = 0
        if header_line:
            header, _, _ = block.tobytes().partition(b"\n")
            if b"\r" in header or b"\0" in header:
                raise _NotPlainError
            start, header_line = len(header) + 1, False
        if start < len(block):
            yield block[start:]


def _views(views: NDArray[np.int32], text: NDArray[np.uint8]) -> pa.Array:
    """Texts inside of a text, (n, 4) as Arrow lays them out."""
    buffers = [None, pa.py_buffer(views), pa.py_buffer(text)]
    return pa.Array.from_buffers(pa.string_view(), len(views), buffers)
