"""What the preparation asks of an engine; everything else is said once, in Ibis."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa


@dataclass(frozen=True)
class Lines:
    """Text files as the engine sees them; nothing is read before a table is used.

    Attributes:
        table: a row for each line in file order, without a byte order mark and line ends: ``file`` (full
            path), ``record`` (NULL on a blank line) and ``garbled`` (true if it is no text: not UTF-8, or
            longer than 2 MB).
        rejects: ``None`` if ``table`` has the lines that are no text, too. Else to be called once the lines
            have been read: those that it has not, as ``file``, ``line`` (1-based), ``record``.
    """

    table: ibis.Table
    rejects: Callable[[], ibis.Table] | None = None


FewTexts = Mapping[str, Sequence[str | None]]
NO_TEXTS: FewTexts = MappingProxyType({})


class Engine(Protocol):
    """An engine that runs Ibis expressions, and the few things that Ibis has no word for.

    Attributes:
        unreadable: what it raises when a raw file is not what it should be.
    """

    unreadable: tuple[type[Exception], ...]

    def set_zone(self, zone: str) -> None:
        """Set the zone of times without one, an IANA name; the machine's own must not matter.

        Raises:
            ValueError: if there is no such zone.
        """

    def read_lines(self, paths: Sequence[Path], header_line: bool) -> Lines:
        """Read the lines of text files; with ``header_line`` the first of each goes, here or in `stage`."""

    def read_columns(self, paths: Sequence[Path], wanted: Collection[str], file: str) -> ibis.Table:
        """Read raw Parquet files.

        Args:
            paths: of the files.
            wanted: the columns whose texts count.
            file: what to call a column with the full path, after the files' own.

        Raises:
            IngestError: if a wanted column is of a type that the engine cannot read exactly.
        """

    def stage(self, records: ibis.Table, header_line: bool) -> ibis.Table:
        """Run an expression over lines or columns read, once, and keep the outcome until the end.

        Args:
            records: a row for each row read, and its ``file``.
            header_line: as in `read_lines`.

        Returns:
            The same with ``row``: within a file, successive numbers in file order.
        """

    def stage_batches(
        self, batches: pa.RecordBatchReader, staged: Callable[[ibis.Table], ibis.Table]
    ) -> ibis.Table | None:
        """Run an expression over batches that this process reads, once, and keep the outcome until the end.

        Args:
            batches: the reader; nothing is read of it if there is no outcome.
            staged: makes the expression of the batches' table; rows may come in any order.

        Returns:
            The outcome; ``None`` where data do not go through this process.
        """
        return None

    def keep(self, rows: ibis.Table) -> ibis.Table:
        """Run an expression that is used several times, and keep the outcome until the end."""

    def read(self, path: Path) -> ibis.Table:
        """Read one of our own Parquet files."""

    def ordered(self, rows: ibis.Table, key: Sequence[str]) -> ibis.Table:
        """Rows to be written in order of their ``key``: what is computed of them then need not be sorted."""

    def write(self, rows: ibis.Table, path: Path) -> None:
        """Stream rows into one Parquet file in their order; the same rows give the same bytes."""

    def write_once(self, rows: ibis.Table, key: Sequence[str], path: Path, few: FewTexts = NO_TEXTS) -> None:
        """Do as `write` with rows in order of their ``key``, of those alike in it one.

        Args:
            rows: in no order.
            key: all of their columns but one; the smallest of that one is kept, NULL if there is no other.
            path: of the file.
            few: all values of those columns of texts that have a few, each value once.
        """

    def fetch(self, rows: ibis.Table) -> pa.Table:
        """Read rows into memory, in their order: tables of a row a user, an item or less."""

    def beside(self) -> AbstractContextManager[Engine]:
        """An engine for tables of a row an item, which need no cluster: DuckDB."""

    def take(self, rows: ibis.Table) -> ibis.Table:
        """Take over a table of the engine `beside` this one, as long as that is open."""
