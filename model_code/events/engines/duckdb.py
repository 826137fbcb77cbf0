"""DuckDB, embedded: in bounded memory, spilling to disk."""

from __future__ import annotations

import glob
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import duckdb
import ibis
import pyarrow as pa
from ibis.backends.duckdb import Backend

from model_code.events.engine import EngineSettings, connect, scratch_folder
from model_code.events.engines.engine import NO_TEXTS, Engine, FewTexts, Lines
from model_code.events.parquet_files import ROW_GROUP, even_batches, read_parquet, write_parquet

NO_DELIMITER = "\U0010ffff"  # no character; were there none at all, DuckDB would take NUL for one

FUNCTIONS = (
    # A time that is no infinity, which is a time to DuckDB.
    """
    iso_microseconds(text) AS
    CASE WHEN isfinite(TRY_CAST(text AS TIMESTAMPTZ)) THEN epoch_us(TRY_CAST(text AS TIMESTAMPTZ)) END
    """,
    # Led by a comma each field, the first too, is a match that is not empty: a quoted or a bare one.
    """
    csv_fields(line) AS
    CASE
    WHEN regexp_matches(',' || line, '^(?:,("[^"]*(?:""[^"]*)*"|[^,"]*))*\\z')
    THEN regexp_extract_all(',' || line, ',("[^"]*(?:""[^"]*)*"|[^,"]*)', 1)
    END
    """,
)


@contextmanager
def start(settings: EngineSettings) -> Iterator[Engine]:
    """Open a DuckDB in memory."""
    with scratch_folder(settings) as scratch, connect(settings) as connection:
        for function in FUNCTIONS:
            connection.raw_sql(f"CREATE TEMP MACRO {function}")
        yield DuckDB(connection, scratch)


class DuckDB(Engine):
    """The default engine; see `Engine`."""

    unreadable = (duckdb.InvalidInputException, duckdb.ConversionException)

    def __init__(self, connection: Backend, scratch: Path) -> None:
        self._connection = connection
        self._scratch = scratch

    def set_zone(self, zone: str) -> None:
        """See `Engine.set_zone`."""
        try:
            self._connection.raw_sql("SET TimeZone = '{}'".format(zone.replace("'", "''")))
        except duckdb.Error as error:
            raise ValueError(zone) from error

    def read_lines(self, paths: Sequence[Path], header_line: bool) -> Lines:
        """Read lines with the CSV parser, told that a line is one field; it keeps aside what is no text."""
        view = ibis.util.gen_name("lines")
        lines = self._connection.read_csv(
            [glob.escape(str(path)) for path in paths],
            table_name=view,
            columns={"line": "VARCHAR"},
            auto_detect=False,
            header=False,
            skip=int(header_line),
            delim=NO_DELIMITER,
            quote="",
            escape="",
            filename=True,
            hive_partitioning=False,
            store_rejects=True,
            rejects_table=f"{view}_rejects",
            rejects_scan=f"{view}_scans",
            rejects_limit=0,
        )
        # A line that starts with a digit or a letter needs no closer look.
        blank = (lines.line < "!") & ~lines.line.re_search(r"[^ \t\n\r\v\f]")
        record = ibis.ifelse(blank, ibis.null(str), lines.line)
        table = lines.select(file=lines.filename, record=record, garbled=ibis.literal(False))
        return Lines(table, partial(self._rejects, view))

    def _rejects(self, view: str) -> ibis.Table:
        rejected = self._connection.table(f"{view}_rejects")
        scans = self._connection.table(f"{view}_scans").select("scan_id", "file_id", "file_path")
        # A line can be rejected for several reasons, and once in each reading.
        return (
            rejected.join(scans, ["scan_id", "file_id"])
            .group_by(file="file_path", line=rejected.line.cast("int64"))
            .agg(record=rejected.csv_line.strip().min())
        )

    def read_columns(self, paths: Sequence[Path], wanted: Collection[str], file: str) -> ibis.Table:
        """See `Engine.read_columns`."""
        names = [glob.escape(str(path)) for path in paths]
        return self._connection.read_parquet(names, filename=file, hive_partitioning=False)

    def stage(self, records: ibis.Table, header_line: bool) -> ibis.Table:
        """See `Engine.stage`; rows are in file order, and the header was skipped in reading."""
        path = self._scratch / f"{ibis.util.gen_name('staged')}.parquet"
        write_parquet(self._connection, records, path)
        staged = read_parquet(self._connection, path, file_row_number=True)
        return staged.rename(row="file_row_number")

    def stage_batches(
        self, batches: pa.RecordBatchReader, staged: Callable[[ibis.Table], ibis.Table]
    ) -> ibis.Table:
        """See `Engine.stage_batches`."""
        name = ibis.util.gen_name("batches")
        path = self._scratch / f"{name}.parquet"
        self._connection.con.register(name, batches)
        write_parquet(self._connection, staged(self._connection.table(name)), path)
        self._connection.con.unregister(name)
        return read_parquet(self._connection, path)

    def keep(self, rows: ibis.Table) -> ibis.Table:
        """See `Engine.keep`."""
        return self._connection.create_table(ibis.util.gen_name("kept"), rows, temp=True)

    def read(self, path: Path) -> ibis.Table:
        """See `Engine.read`."""
        return read_parquet(self._connection, path)

    def ordered(self, rows: ibis.Table, key: Sequence[str]) -> ibis.Table:
        """See `Engine.ordered`: as a view, since Ibis puts an order at the end of a query."""
        return self._connection.create_view(ibis.util.gen_name("ordered"), rows.order_by(key))

    def write(self, rows: ibis.Table, path: Path) -> None:
        """See `Engine.write`."""
        write_parquet(self._connection, rows, path)

    def write_once(self, rows: ibis.Table, key: Sequence[str], path: Path, few: FewTexts = NO_TEXTS) -> None:
        """See `Engine.write_once`: sorted, each row is held against the one before, without a hash table."""
        [other] = set(rows.columns) - set(key)
        view = ibis.util.gen_name("rows")
        self._connection.create_view(view, rows)
        # Texts take longest to sort: those of a few values go as numbers, and a single one not at all.
        single = {name: ibis.literal(texts[0], str) for name, texts in few.items() if len(texts) == 1}
        columns = [
            f"CAST({name} AS {self._enumeration(few[name])}) AS {name}" if name in few else name
            for name in rows.columns
            if name not in single
        ]
        sorted_by = [name for name in key if name not in single]
        order = ", ".join(f"{name} NULLS LAST" for name in (*sorted_by, other))
        repeats = " AND ".join(f"lag({name}) OVER () IS NOT DISTINCT FROM {name}" for name in sorted_by)
        once = self._connection.con.sql(
            f"FROM (SELECT {', '.join(columns)} FROM {view} ORDER BY {order}) QUALIFY NOT ({repeats})"
        )
        # A filter's leavings make row groups of any size. Who reads a stream needs a second connection.
        batches = even_batches(once.to_arrow_reader(ROW_GROUP), ROW_GROUP)
        with closing(self._connection.con.cursor()) as cursor:
            cursor.register("batches", batches)
            writer = Backend.from_connection(cursor)
            write_parquet(writer, writer.table("batches").mutate(**single).select(rows.columns), path)

    def _enumeration(self, texts: Sequence[str | None]) -> str:
        """A type whose values sort as the texts do."""
        name: str = ibis.util.gen_name("enumeration")
        values = self.keep(ibis.memtable(pa.table({"text": pa.array(texts, pa.string())})))
        self._connection.raw_sql(
            f"CREATE TEMP TYPE {name} AS"
            f" ENUM (SELECT text FROM {values.get_name()} WHERE text IS NOT NULL ORDER BY text)"
        )
        return name

    def fetch(self, rows: ibis.Table) -> pa.Table:
        """See `Engine.fetch`."""
        return rows.to_pyarrow()

    @contextmanager
    def beside(self) -> Iterator[Engine]:
        """This one itself."""
        yield self

    def take(self, rows: ibis.Table) -> ibis.Table:
        """Nothing is to be done."""
        return rows
