"""Which engine prepares logs, and how much of the machine it may use."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from model_code.settings import require, settings

if TYPE_CHECKING:
    import ibis


MEMORY = r"\d+(\.\d+)? *(b|[kmgt](i?b)?)|([1-9]\d?|100) *%"  # what DuckDB takes, in any case of letters


ENGINES = ("duckdb", "spark")


@settings
class SparkSettings:
    """Where Spark runs, and how; see docs/spark.md.

    Attributes:
        master: the cluster's URL, as "spark://host:7077" or "yarn"; ``None`` is this machine.
        conf: Spark's own settings by their names, as "spark.driver.memory": "3g".
    """

    master: str | None = None
    conf: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.conf:
            require(
                name.startswith("spark.") and name != "spark.master",
                "engine.spark.conf",
                name,
                "the name of a setting of Spark's; the master is engine.spark.master",
            )


@settings
class EngineSettings:
    """Which engine reads, checks, filters and sorts a log, and how much of the machine it may use.

    Attributes:
        name: "duckdb", embedded; or "spark", for logs beyond one machine. The output does not depend on it.
        threads: worker threads; ``None`` takes one for each core. The output does not depend on it.
        memory_limit: DuckDB's own notation ("4GB", "60%"); ``None`` keeps its default, 80% of the machine.
            What does not fit is spilled to disk.
        spill_folder: where to; ``None`` is the system's temporary folder. A cluster's workers should see it.
        spark: for "spark" alone.
    """

    name: str = "duckdb"
    threads: int | None = None
    memory_limit: str | None = None
    spill_folder: str | None = None
    spark: SparkSettings = SparkSettings()

    def __post_init__(self) -> None:
        require(self.name in ENGINES, "engine.name", self.name, f"one of {', '.join(ENGINES)}")
        unused = self.name == "spark" or self.spark == SparkSettings()
        require(unused, "engine.spark", self.spark, 'left out, unless engine.name is "spark"')
        require(
            self.threads is None or self.threads > 0,
            "engine.threads",
            self.threads,
            "a positive number or null",
        )
        limit = self.memory_limit
        known = limit is None or re.fullmatch(MEMORY, limit, re.IGNORECASE) is not None
        require(known, "engine.memory_limit", limit, 'a number and a unit, as "4GB" or "60%", or null')

    def config(self) -> dict[str, str | int]:
        """The same in DuckDB's own settings; the spill folder is left to the caller."""
        config: dict[str, str | int] = {"threads": self.threads or os.cpu_count() or 1}
        return config | ({"memory_limit": self.memory_limit} if self.memory_limit else {})


@contextmanager
def scratch_folder(engine: EngineSettings) -> Iterator[Path]:
    """Make a private temporary folder where the engine may spill, removed on leaving.

    Raises:
        SettingsError: if there is no such spill folder.
    """
    there = engine.spill_folder is None or Path(engine.spill_folder).is_dir()
    require(there, "engine.spill_folder", engine.spill_folder, "a folder that exists, or null")
    with tempfile.TemporaryDirectory(prefix="deminet-", dir=engine.spill_folder) as folder:
        yield Path(folder)


@contextmanager
def connect(engine: EngineSettings, tables: Path | None = None) -> Iterator[ibis.backends.duckdb.Backend]:
    """Open a DuckDB that spills into a private temporary folder, removed on leaving.

    Whatever the name of the engine: what reads prepared logs needs no other.

    Args:
        engine: how much of the machine to use.
        tables: a database to read; without, there is none but in memory.

    Raises:
        SettingsError: if there is no such spill folder.
    """
    import ibis  # noqa: PLC0415 - slow to import, and not needed by training

    with scratch_folder(engine) as spill:
        backend = ibis.duckdb.connect(
            tables or ":memory:",
            read_only=tables is not None,
            **engine.config(),
            temp_directory=str(spill),
            preserve_insertion_order=True,
        )
        try:
            yield backend
        finally:
            backend.disconnect()
