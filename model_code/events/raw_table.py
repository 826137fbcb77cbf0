"""A raw table opened for reading: its files found, their header checked, their records counted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from model_code.events.engines.engine import Engine
from model_code.events.errors import IngestError
from model_code.events.raw_files import RawFiles, find_files
from model_code.events.readers import READERS
from model_code.events.readers.reader import Column, Layout, Names, Reader, Scan

NO_TEXT = ("binary", "fixed_size_binary", "list", "fixed_size_list", "struct", "map")  # types, by their start


@dataclass(frozen=True)
class TableKeys:
    """What the settings of a table are called, for messages; ``header`` is ``None`` if there is no such."""

    path: str
    columns: str
    header: str | None


LOG = TableKeys("source.path", "source.columns", "source.header")
CATEGORY_TABLE = TableKeys("source.categories.path", "source.categories", None)
CATEGORY_LIST = TableKeys("source.categories.known.path", "source.categories.known", None)


@dataclass(frozen=True)
class RawTable:
    """Files of one format and one layout.

    Attributes:
        files: in the order of their names.
        reader: of their format.
        layout: their columns.
        count: records in all of them, counted without the engine.
        filled: the files that have some; the engine need not read the others, and cannot read an empty .gz.
    """

    files: RawFiles
    reader: Reader
    layout: Layout
    count: int
    filled: tuple[Path, ...]

    def scan(self, engine: Engine) -> Scan:
        """The records as tables of the engine."""
        return self.reader.scan(engine, self.filled, self.layout)


def open_table(location: str, columns: Mapping[str, str], header: Names | None, keys: TableKeys) -> RawTable:
    """Find a table's files and check that each has the wanted columns.

    Args:
        location: a file, a folder or a glob.
        columns: canonical name -> raw name.
        header: the names of CSV files without a header line; else ``None``.
        keys: what the settings are called.

    Raises:
        IngestError: if there is no file or no record, a file lacks a column or differs from the first, or a
            column holds no text, number or time.
    """
    files = find_files(location, READERS, keys.path)
    reader = READERS[files.suffix]
    if header is not None and not reader.headed:
        raise IngestError(
            f"{keys.header} is set, but {files.suffix} files carry their own names; leave it out"
        )
    headed = reader.headed and header is None
    found = tuple(map(Column, header)) if header else _common_columns(files, reader, columns.values())
    names = None if found is None else tuple(column.name for column in found)
    if found is not None:
        _check_columns(found, columns, files.paths[0], keys)
    layout = Layout(columns, names, headed)
    counts = {path: max(reader.count(path) - headed, 0) for path in files.paths}
    count = sum(counts.values())
    if count == 0:
        raise IngestError(f"{keys.path}: {location} holds no record ({len(files.paths)} files, all empty)")
    return RawTable(files, reader, layout, count, filled=tuple(filter(counts.get, counts)))


def _common_columns(files: RawFiles, reader: Reader, wanted: Collection[str]) -> tuple[Column, ...] | None:
    """The columns that all files share; empty files have none and take part in no comparison.

    Types are compared, and told, of the wanted columns alone.
    """
    first: tuple[Column, ...] | None = None
    for path in files.paths:
        columns = reader.columns(path)
        if columns is not None:
            columns = tuple(column if column.name in wanted else Column(column.name) for column in columns)
        if first is None:
            first, first_path = columns, path
        elif columns is not None and columns != first:
            raise IngestError(
                f"{path} has the columns {_listed(columns)}, but {first_path} has {_listed(first)}; "
                "the files of a log should have the same columns of the same types in the same order"
            )
    return first


def _listed(columns: tuple[Column, ...]) -> str:
    return ", ".join(" ".join(filter(None, (_shown(column.name), column.type))) for column in columns)


def _shown(name: str) -> str:
    """A name for a message; one that cannot be seen as it is, by a byte order mark for instance, escaped."""
    return name if name.isprintable() else ascii(name)


def _check_columns(
    found: tuple[Column, ...], columns: Mapping[str, str], file: Path, keys: TableKeys
) -> None:
    names = [column.name for column in found]
    for canonical, raw in columns.items():
        if names.count(raw) != 1:
            what = "twice" if raw in names else "missing"
            header = f", or {keys.header} if the first line is a record" if keys.header else ""
            raise IngestError(
                f"{file}: column {raw!r} is {what} among {', '.join(map(_shown, names))}; "
                f"change {keys.columns}.{canonical}{header}"
            )
        kind = found[names.index(raw)].type
        if kind.startswith(NO_TEXT):
            raise IngestError(
                f"{file}: column {raw!r} is of type {kind}; write it as text or as a number, "
                f"or change {keys.columns}.{canonical}"
            )
