"""Items' categories out of a publisher's metadata: an object a line, in which the category is a path.

The lines are parsed here, one at a time and in bounded memory, and go to a Parquet file that any engine
reads. Nothing in a line is ever executed, and one that cannot be read is passed over.
"""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import parquet

from model_code.events.raw_lines import CHUNK, UNPACKING, cut_error, open_bytes

SCHEMA = pa.schema({"item_id": pa.string(), "category_id": pa.string()})
BATCH = 100_000  # rows
# What the parsers raise; a MemoryError is how Python refuses to go deeper.
UNREADABLE = (ValueError, TypeError, SyntaxError, RecursionError, MemoryError)


class Notation(NamedTuple):
    """How lines are written: their parser, and the bytes of the longest one that it is given."""

    parse: Callable[[str], Any]
    longest: int


# A literal can take 500 times its size to parse: 128 MB at this length. JSON is bounded like other lines.
NOTATIONS = {
    "literal_paths": Notation(ast.literal_eval, 1 << 18),
    "json_paths": Notation(json.loads, 2_000_000),
}


def write_category_paths(
    files: Sequence[Path], notation: Notation, item_key: str, category_key: str, out: Path
) -> int:
    """Write each line's item and category: the last part of the path, or of the first of several paths.

    Args:
        files: of lines, each the object of an item; .gz is unpacked.
        notation: of the lines.
        item_key: the key of the item in an object.
        category_key: the key of its path or paths.
        out: Parquet of ``item_id`` and ``category_id``, a row for each line that is not blank; what is
            missing, or cannot be read, is NULL.

    Returns:
        how many lines there are that are not blank.

    Raises:
        IngestError: if a file cannot be unpacked to its end.
    """
    count = 0
    with parquet.ParquetWriter(out, SCHEMA) as writer, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's about the escapes in a literal
        for file in files:
            rows: list[tuple[str | None, str | None]] = []
            for line in _lines(file, notation.longest):
                rows.append(_item_and_category(line, notation.parse, item_key, category_key))
                if len(rows) == BATCH:
                    count += _write(writer, rows)
            count += _write(writer, rows)
    return count


def _write(writer: parquet.ParquetWriter, rows: list[tuple[str | None, str | None]]) -> int:
    """Write rows and forget them; returns how many they were."""
    count = len(rows)
    if rows:
        columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        writer.write_table(pa.table(columns, schema=SCHEMA))
        rows.clear()
    return count


def _lines(file: Path, longest: int) -> Iterator[bytes]:
    """The lines that are not blank; one that is longer is empty, and never held whole."""
    try:
        with open_bytes(file) as opened:
            while line := opened.readline(longest + 1):
                if len(line) > longest and not line.endswith(b"\n"):
                    while (rest := opened.readline(CHUNK)) and not rest.endswith(b"\n"):
                        pass
                    yield b""
                elif line.strip():
                    yield line
    except UNPACKING as error:
        raise cut_error(file, error) from None


def _item_and_category(
    line: bytes, parse: Callable[[str], Any], item_key: str, category_key: str
) -> tuple[str | None, str | None]:
    try:
        record = parse(line.decode("utf-8-sig").strip())
        if not isinstance(record, dict):
            return None, None
        return _text(record.get(item_key)), _text(_narrowest(record.get(category_key)))
    except UNREADABLE:
        return None, None


def _narrowest(path: Any) -> Any:
    if isinstance(path, list) and path and isinstance(path[0], list):
        path = path[0]
    if isinstance(path, list):
        return path[-1] if path else None
    return path


def _text(value: Any) -> str | None:
    """A text, stripped, or a whole number as text; raises a `ValueError` on what UTF-8 cannot hold."""
    if isinstance(value, str):
        value.encode()
        return value.strip(" \t\n\r\v\f") or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
