"""A raw table opened for reading: its files found, their header checked, their records counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ibis.backends.duckdb import Backend

from model_code.events.errors import IngestError
from model_code.events.raw_files import RawFiles, find_files
from model_code.events.readers import READERS
from model_code.events.readers.reader import Layout, Names, Reader, Scan


@dataclass(frozen=True)
class RawTable:
    """Files of one format and one layout.

    Attributes:
        files: in the order of their names.
        reader: of their format.
        layout: their columns.
        count: records in all of them, counted without the engine.
    """

    files: RawFiles
    reader: Reader
    layout: Layout
    count: int

    def scan(self, connection: Backend) -> Scan:
        """The records as tables of the engine."""
        return self.reader.scan(connection, self.files.paths, self.layout)


def open_table(location: str, columns: Mapping[str, str], header: Names | None, setting: str) -> RawTable:
    """Find a table's files and check that each has the wanted columns.

    Args:
        location: a file, a folder or a glob.
        columns: canonical name -> raw name.
        header: the names of CSV files without a header line; else ``None``.
        setting: where the settings of the table are ("source" or "source.categories"), for messages.

    Raises:
        IngestError: if there is no file or no record, or a file lacks a column or differs from the first.
    """
    files = find_files(location, READERS, f"{setting}.path")
    reader = READERS[files.suffix]
    if header is not None and not reader.headed:
        raise IngestError(
            f"{setting}.header is set, but {files.suffix} files carry their own names; leave it out"
        )
    headed = reader.headed and header is None
    names = header or _common_names(files, reader)
    if names is not None:
        _check_columns(names, columns, f"{files.paths[0]}", setting)
    layout = Layout(columns, names, headed)
    count = sum(max(reader.count(path) - headed, 0) for path in files.paths)
    if count == 0:
        raise IngestError(f"{setting}.path: {location} holds no record ({len(files.paths)} files, all empty)")
    return RawTable(files, reader, layout, count)


def _common_names(files: RawFiles, reader: Reader) -> Names | None:
    """The names that all files share; empty files have none and take part in no comparison."""
    first: Names | None = None
    for path in files.paths:
        names = reader.names(path)
        if first is None:
            first, first_path = names, path
        elif names is not None and names != first:
            raise IngestError(
                f"{path} has the columns {', '.join(names)}, but {first_path} has {', '.join(first)}; "
                "the files of a log should have the same columns in the same order"
            )
    return first


def _check_columns(names: Names, columns: Mapping[str, str], file: str, setting: str) -> None:
    for canonical, raw in columns.items():
        if names.count(raw) != 1:
            found = "twice" if raw in names else "missing"
            raise IngestError(
                f"{file}: column {raw!r} is {found} among {', '.join(names)}; "
                f"change {setting}.columns.{canonical}, or {setting}.header if the first line is a record"
            )
