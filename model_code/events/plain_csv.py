"""CSV read by a kernel, as far as its lines need no second look.

The columns of most logs are whole numbers and short words. To split such a line, and to see that there is no
more to it, takes a fraction of what it takes to make texts of all fields and to look at each of them. Lines
that are otherwise, a few among many, go the way of all others; a log of which many are goes it whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import ibis
import numpy as np
import pyarrow as pa
from ibis.expr.types import Value
from numpy.typing import NDArray

from model_code.events.checks import IDS, check, check_stripped
from model_code.events.engines.duckdb import NO_DELIMITER
from model_code.events.engines.engine import Engine
from model_code.events.raw_files import LONGEST_LINE, UNPACKING, chunks, open_bytes
from model_code.events.raw_table import RawTable
from model_code.events.readers import csv
from model_code.events.readers.reader import Layout
from model_code.events.source import SourceSettings
from model_code.kernels import library

PASSED_OVER, NUMBER, TEXT = range(3)  # as in plain_csv.c
_MOST_ODD = 4096  # lines of a block, and no more than one in `_ODD_SHARE` of them, or a few
_ODD_SHARE, _FEW = 8, 64
_MOST_ODD_BYTES = 64 << 20  # of a log: they are kept in this process
_LONGEST_ODD = 1 << 20  # bytes of a line; DuckDB sets longer ones than 2 MB aside
_ODD = pa.schema({"file": pa.string(), "row": pa.int64(), "record": pa.string()})


def stage_plain(connection: Engine, raw: RawTable, source: SourceSettings) -> ibis.Table | None:
    """Read and check a log of plain lines, but for a few.

    Args:
        connection: the engine, which checks and keeps the records.
        raw: the log.
        source: a table source.

    Returns:
        The checked records with ``row``, as `Engine.stage` returns them; ``None`` if the log is not of that
        kind, is not CSV, or there are no kernels.
    """
    if raw.files.suffix != ".csv" or not library.ready():
        return None
    texts = {"behavior", "timestamp"} if source.time.unit == "iso" else {"behavior"}
    lines = PlainLines(raw.filled, raw.layout, texts)
    reader = pa.RecordBatchReader.from_batches(lines.schema, lines.batches())
    # What is alike in all of them need not be written.
    alike: dict[str, Value] = {name: ibis.null(str) for name in raw.layout.columns if name in IDS}
    if len(raw.filled) == 1:
        alike["file"] = ibis.literal(str(raw.filled[0]))
    staged = connection.stage_batches(reader, lambda table: _checked(table, source).drop(*alike))
    if lines.failure is not None:
        raise lines.failure
    if staged is None or not lines.complete:
        return None
    plain = staged.mutate(**alike)
    if not lines.odd:
        return plain
    odd = ibis.memtable(pa.Table.from_batches(lines.odd)).mutate(garbled=ibis.literal(False))
    checked = connection.keep(check(csv.records(odd, raw.layout), source))
    # Of no rows, nobody would know that none is NULL.
    return plain.select(checked.columns).union(checked) if lines.plain else checked


def _checked(plain: ibis.Table, source: SourceSettings) -> ibis.Table:
    return check_stripped(plain.mutate(broken=ibis.literal(False)), source)


class PlainLines:
    """The plain lines of some files, and aside, the others.

    Attributes:
        schema: of the batches: ``file``, ``row``, ``record``, and the wanted columns by canonical name.
        plain: how many there were.
        complete: whether each line came to be in one of the two; known at the end, as the others are.
        odd: the other lines: ``file``, ``row`` and ``record``.
        failure: what went wrong that is not the log's fault; the engine would blame the log for it.
    """

    def __init__(self, paths: Sequence[Path], layout: Layout, texts: set[str]) -> None:
        if layout.names is None:
            raise ValueError("the fields of a CSV line have no names of their own")
        self._paths, self._header_line = paths, layout.header_line
        canonical = {raw: name for name, raw in layout.columns.items()}
        names = [canonical.get(raw) for raw in layout.names]  # in file order
        self._texts = [name for name in names if name in texts]
        self._numbers = [name for name in names if name and name not in texts]
        kinds = [TEXT if name in texts else NUMBER if name else PASSED_OVER for name in names]
        self._kinds = np.array(kinds, dtype=np.int64)
        types = dict.fromkeys(self._numbers, pa.int64()) | dict.fromkeys(self._texts, pa.string_view())
        file = pa.dictionary(pa.int8(), pa.string())
        self.schema = pa.schema({"file": file, "row": pa.int64(), "record": pa.string_view(), **types})
        self.plain, self.complete = 0, False
        self.odd: list[pa.RecordBatch] = []
        self._odd_bytes = 0
        self.failure: BaseException | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Read the files; stops early at what only the engine's own reader can judge."""
        try:
            for path in self._paths:
                row = 0
                for block in _blocks(path, self._header_line):
                    lines, plain = self._split(block, row, str(path))
                    yield plain
                    row += lines
                    self.plain += len(plain)
        except (*UNPACKING, _NotPlainError, UnicodeDecodeError):
            return
        except GeneratorExit:
            raise
        except BaseException as failure:
            self.failure = failure
            return
        self.complete = True

    def _split(self, block: bytes, first_row: int, file: str) -> tuple[int, pa.RecordBatch]:
        """How many lines a block has, and the plain ones."""
        fields = len(self._kinds)
        room = len(block) // (2 * fields) + 1
        numbers = np.empty((len(self._numbers), room), np.int64)
        texts = np.empty((1 + len(self._texts), room, 4), np.int32)
        row, odd_row = np.empty(room, np.int64), np.empty(_MOST_ODD, np.int64)
        odd, counts = np.empty((_MOST_ODD, 2), np.int64), np.empty(3, np.int64)
        text = np.frombuffer(block, np.uint8)
        whole = texts[-1]
        outputs = (room, numbers, texts, whole, row, _MOST_ODD, odd, odd_row, counts)
        library.call("read_plain_csv", text, len(block), fields, self._kinds, *outputs)
        lines, plain, odds = counts.tolist()
        if odds < 0 or odds > max(_FEW, lines // _ODD_SHARE):
            raise _NotPlainError
        if odds:
            self._put_aside(block, odd[:odds], odd_row[:odds] + first_row, file)
        views = [_views(one[:plain], block) for one in texts]
        columns = {
            "file": pa.DictionaryArray.from_arrays(np.zeros(plain, np.int8), [file]),
            "row": row[:plain] + first_row,
            "record": views.pop(),
            **dict(zip(self._numbers, (one[:plain] for one in numbers), strict=True)),
            **dict(zip(self._texts, views, strict=True)),
        }
        return lines, pa.RecordBatch.from_arrays(list(map(pa.array, columns.values())), schema=self.schema)

    def _put_aside(self, block: bytes, odd: NDArray[np.int64], row: NDArray[np.int64], file: str) -> None:
        found = [block[start:end] for start, end in odd.tolist()]
        self._odd_bytes += sum(map(len, found))
        if self._odd_bytes > _MOST_ODD_BYTES:
            raise _NotPlainError
        if any(b"\r" in line or b"\0" in line or len(line) > _LONGEST_ODD for line in found):
            raise _NotPlainError
        texts = [line.decode() if line.strip() else None for line in found]  # a blank line is no record
        if any(text and NO_DELIMITER in text for text in texts):
            raise _NotPlainError
        arrays = [pa.array([file] * len(row), pa.string()), pa.array(row), pa.array(texts, pa.string())]
        self.odd.append(pa.RecordBatch.from_arrays(arrays, schema=_ODD))


class _NotPlainError(Exception):
    """There is something, or too much, that is not plain."""


def _blocks(path: Path, header_line: bool) -> Iterator[bytes]:
    """Whole lines of a file, many at once, each with a line end; without the first one if that is a header.

    Raises:
        _NotPlainError: if a line is too long, or the header's end is that of another system.
    """
    rest = b""
    with open_bytes(path) as file:
        for chunk in chunks(file):
            block = rest + chunk
            end = block.rfind(b"\n") + 1
            block, rest = block[:end], block[end:]
            if len(rest) > LONGEST_LINE:
                raise _NotPlainError
            if block and header_line:
                start = block.find(b"\n") + 1
                if b"\r" in block[:start] or b"\0" in block[:start]:
                    raise _NotPlainError
                block, header_line = block[start:], False
            if block:
                yield block
    if rest and not header_line:
        yield rest + b"\n"


def _views(views: NDArray[np.int32], text: bytes) -> pa.Array:
    """Texts inside of a text, (n, 4) as Arrow lays them out."""
    buffers = [None, pa.py_buffer(views), pa.py_buffer(text)]
    return pa.Array.from_buffers(pa.string_view(), len(views), buffers)
