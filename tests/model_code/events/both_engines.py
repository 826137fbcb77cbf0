"""A small local Spark, where there is one, and comparing what it made of a log with what DuckDB did."""

import importlib.util
import shutil

import pytest
from pyarrow import parquet

from model_code.events.engine import EngineSettings, SparkSettings
from model_code.events.ingest import ingest
from model_code.events.source import SourceSettings
from tests.model_code.events.raw_logs import KEYS

SPARK = EngineSettings(
    name="spark",
    threads=2,
    spark=SparkSettings(
        conf={
            "spark.driver.memory": "2g",
            "spark.sql.shuffle.partitions": "3",
            "spark.pyspark.python": "/nowhere",  # workers need none
        }
    ),
)
needs_spark = pytest.mark.skipif(
    importlib.util.find_spec("pyspark") is None or shutil.which("java") is None,
    reason="PySpark or Java is not installed: pip install -c constraints.txt -e '.[spark]'",
)


def rows(path):
    """The rows of a file; bytes that are no text are told in one way, and long records cut."""
    table = parquet.read_table(path)
    found = table.to_pylist()
    for row in found if "record" in table.schema.names else ():
        row["record"] = row["record"].replace("\ufffd", "?")[:1000]
    return table.schema.names, table.schema.types, found


def same_log(log, other):
    """Assert that two ingested logs have the same rows and counts."""
    assert log.manifest == other.manifest
    for name in ("events", "quarantine", "behaviors"):
        paths = [getattr(one, name) for one in (log, other)]
        assert paths[0].exists() == paths[1].exists()
        assert not paths[0].exists() or rows(paths[0]) == rows(paths[1])


def both(path, out, columns=KEYS, engine=SPARK, **more):
    """Ingest with both engines, and compare; return Spark's log."""
    source = SourceSettings(path=str(path), columns=columns, **more)
    log = ingest(source, EngineSettings(threads=1), out / "duckdb")
    other = ingest(source, engine, out / "spark")
    same_log(log, other)
    return other
