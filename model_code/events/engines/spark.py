"""Spark: on this machine or on a cluster, for logs that one machine cannot sort.

It works in folders of Parquet files, which the driver and all workers see; a table that is handed over is
packed into one file by DuckDB, as it streams.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import pyarrow as pa
from pyarrow import parquet

from model_code.events.engine import EngineSettings, connect, scratch_folder
from model_code.events.engines import duckdb
from model_code.events.engines.duckdb import NO_DELIMITER, DuckDB
from model_code.events.engines.engine import NO_TEXTS, Engine, FewTexts, Lines
from model_code.events.engines.spark_functions import FUNCTIONS
from model_code.events.errors import IngestError
from model_code.events.parquet_files import write_parquet
from model_code.settings import SettingsError, require

if TYPE_CHECKING:
    from ibis.backends.pyspark import Backend

# What DuckDB takes for no text, too.
GARBLED = f"NOT is_valid_utf8(value) OR contains(value, '{NO_DELIMITER}') OR octet_length(value) > 2000000"
FILE = "regexp_replace(url_decode(replace(input_file_name(), '+', '%2B')), '^file:/+', '/')"
MOMENT = "yyyy-MM-dd HH:mm:ss.SSSSSSXXX"
FIXED = {
    "spark.sql.ansi.enabled": "true",  # a cast that fails is an error, not NULL
    "spark.sql.caseSensitive": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",  # else workers would need Python, too
    "spark.sql.jsonGenerator.ignoreNullFields": "false",
}
REMEDY = "or leave engine.name out to prepare the log with DuckDB"
# In the order of the file: where its pieces start, and the order within each, which a task reads alone.
PLACE = ("input_file_block_start() AS block", "monotonically_increasing_id() AS place")


@contextmanager
def start(settings: EngineSettings) -> Iterator[Engine]:
    """Start Spark, or join the cluster that the settings name."""
    with scratch_folder(settings) as scratch:
        if settings.spark.master:
            scratch.chmod(0o777)  # the workers of a cluster may be other users
        session = _session(settings, scratch)
        try:
            engine = Spark(ibis.pyspark.connect(session), session, settings, scratch)
            engine.set_zone("UTC")
            yield engine
        finally:
            session.stop()


def configuration(settings: EngineSettings, scratch: Path) -> Mapping[str, str]:
    """Spark's own settings: those of `engine.spark.conf` over these defaults.

    Raises:
        SettingsError: if the former has one that the output rests on.
    """
    for name in FIXED:
        require(
            name not in settings.spark.conf, "engine.spark.conf", name, "left out: the output rests on it"
        )
    master = settings.spark.master or f"local[{settings.threads or '*'}]"
    local = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": str(scratch),
    }
    return {
        "spark.master": master,
        "spark.app.name": "deminet",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        **(local if master.startswith("local") else {}),
        **settings.spark.conf,
        **FIXED,
    }


def _session(settings: EngineSettings, scratch: Path) -> Any:
    java = Path(os.environ["JAVA_HOME"], "bin", "java") if os.environ.get("JAVA_HOME") else "java"
    try:
        from pyspark.errors import PySparkRuntimeError  # noqa: PLC0415 - an optional dependency
        from pyspark.sql import SparkSession  # noqa: PLC0415
    except ModuleNotFoundError:
        raise SettingsError(
            "engine.name = 'spark': PySpark is not installed; pip install -c constraints.txt -e '.[spark]', "
            + REMEDY
        ) from None
    if shutil.which(java) is None:
        raise SettingsError(
            f"engine.name = 'spark': there is no {java}; install Java 17 or 21 and let JAVA_HOME name its "
            f"folder, {REMEDY}"
        )
    builder = SparkSession.builder
    for name, value in configuration(settings, scratch).items():
        builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    except PySparkRuntimeError as error:
        raise SettingsError(
            f"engine.name = 'spark': Spark does not start: {error}; it needs Java 17 or 21, {REMEDY}"
        ) from error


class Spark(Engine):
    """See `Engine`."""

    def __init__(self, backend: Backend, session: Any, settings: EngineSettings, scratch: Path) -> None:
        self.unreadable: tuple[type[Exception], ...] = DuckDB.unreadable
        self._backend = backend
        self._session = session
        self._settings = settings
        self._scratch = scratch

    def set_zone(self, zone: str) -> None:
        """See `Engine.set_zone`."""
        from pyspark.errors import PySparkException  # noqa: PLC0415

        try:
            self._session.conf.set("spark.sql.session.timeZone", zone)
        except PySparkException as error:
            raise ValueError(zone) from error
        for function in FUNCTIONS:  # a function keeps the zone that it was made in
            self._session.sql(f"CREATE OR REPLACE TEMPORARY FUNCTION {function}")

    def read_lines(self, paths: Sequence[Path], header_line: bool) -> Lines:
        """Read all lines; the header and those that are no text are among them."""
        texts = self._session.read.text([_pattern(path) for path in paths], lineSep="\n")
        lines = self._view(
            texts.selectExpr(
                f"{FILE} AS file",
                r"regexp_replace(make_valid_utf8(value), r'\r\z', '') AS line",
                f"{GARBLED} AS garbled",
            )
        )
        blank = lines.line.strip() == ""
        return Lines(lines.select("file", "garbled", record=ibis.ifelse(blank, ibis.null(str), lines.line)))

    def read_columns(self, paths: Sequence[Path], wanted: Collection[str], file: str) -> ibis.Table:
        """See `Engine.read_columns`; times get their offset, which Spark's own texts of them have not."""
        from pyspark.errors import AnalysisException  # noqa: PLC0415 - an optional dependency

        try:
            rows = self._session.read.parquet(*map(_pattern, paths))
        except AnalysisException as error:
            raise IngestError(f"{paths[0]}: Spark cannot read it: {error}; {REMEDY}") from error
        columns = []
        for name, kind in rows.dtypes:
            if name in wanted and kind in ("float", "double"):
                raise IngestError(
                    f"{paths[0]}: column {name!r} is of type {kind}, which Spark writes in a way of its own; "
                    f"make it integers or text, {REMEDY}"
                )
            quoted = "`{}`".format(name.replace("`", "``"))
            zoned = kind == "timestamp"
            columns.append(f"date_format({quoted}, '{MOMENT}') AS {quoted}" if zoned else quoted)
        return self._view(rows.selectExpr(*columns, f"{FILE} AS {file}"))

    def stage(self, records: ibis.Table, header_line: bool) -> ibis.Table:
        """See `Engine.stage`; rows are numbered by the piece of a file that they are in."""
        path = self._scratch / ibis.util.gen_name("staged")
        placed = self._session.sql(self._backend.compile(records)).selectExpr("*", *PLACE)
        placed.write.parquet(_uri(path))
        rows = self.read(path)
        pieces = rows.group_by("file", "block").agg(first=rows.place.min(), rows=rows.count())
        before = pieces.rows.sum().over(group_by="file", order_by="block", rows=(None, 0)) - pieces.rows
        pieces = self.keep(pieces.select("file", "block", shift=before - pieces["first"]))
        staged = rows.join(pieces, ["file", "block"])
        staged = staged.select(*records.columns, row=staged.place + staged["shift"])
        return staged.filter(staged.row > 0) if header_line else staged

    def keep(self, rows: ibis.Table) -> ibis.Table:
        """See `Engine.keep`."""
        return self.read(self._write(rows))

    def read(self, path: Path) -> ibis.Table:
        """See `Engine.read`."""
        return self._view(self._session.read.parquet(_pattern(path)))

    def ordered(self, rows: ibis.Table, key: Sequence[str]) -> ibis.Table:
        """See `Engine.ordered`."""
        return rows.order_by(key)

    def write(self, rows: ibis.Table, path: Path) -> None:
        """See `Engine.write`."""
        folder = self._write(rows)
        with connect(self._settings) as packer:
            parts = [glob.escape(part) for part in _parts(folder)]
            write_parquet(packer, packer.read_parquet(parts, hive_partitioning=False), path)
        shutil.rmtree(folder)

    def write_once(self, rows: ibis.Table, key: Sequence[str], path: Path, few: FewTexts = NO_TEXTS) -> None:
        """See `Engine.write_once`."""
        [other] = set(rows.columns) - set(key)
        once = rows.group_by(key).agg(**{other: rows[other].min()})
        self.write(once.select(rows.columns).order_by(key), path)

    def fetch(self, rows: ibis.Table) -> pa.Table:
        """See `Engine.fetch`; not through the driver's Java, whose memory is small."""
        folder = self._write(rows)
        kept = pa.concat_tables(map(parquet.read_table, _parts(folder)))
        shutil.rmtree(folder)
        return kept.cast(rows.schema().to_pyarrow())

    @contextmanager
    def beside(self) -> Iterator[Engine]:
        """A DuckDB."""
        with duckdb.start(self._settings) as light:
            yield light

    def take(self, rows: ibis.Table) -> ibis.Table:
        """See `Engine.take`."""
        path = self._scratch / f"{ibis.util.gen_name('taken')}.parquet"
        rows.to_parquet(path)
        return self.read(path)

    def _write(self, rows: ibis.Table) -> Path:
        folder: Path = self._scratch / ibis.util.gen_name("rows")
        self._backend.to_parquet_dir(rows, _uri(folder))
        return folder

    def _view(self, frame: Any) -> ibis.Table:
        name = ibis.util.gen_name("view")
        frame.createOrReplaceTempView(name)
        return self._backend.table(name)


def _parts(folder: Path) -> list[str]:
    """What the tasks wrote, in the order of the rows."""
    return sorted(map(str, folder.glob("part-*")), key=lambda name: (len(name), name))


def _uri(path: Path) -> str:
    """A path on this machine, whatever a cluster's own file system is."""
    return f"file://{path}"


def _pattern(path: Path) -> str:
    """The same for reading, where names are patterns."""
    return re.sub(r"([{}\[\]*?\\])", r"\\\1", _uri(path))
