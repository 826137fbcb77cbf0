"""The embedded engine that prepares logs: DuckDB behind Ibis, in bounded memory, spilling to disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from model_code.settings import require, settings

if TYPE_CHECKING:
    import ibis


@settings
class EngineSettings:
    """How much of the machine the preparation may use.

    Attributes:
        threads: worker threads; ``None`` takes one for each core. The output does not depend on it.
        memory_limit: DuckDB's own notation ("4GB", "60%"); ``None`` keeps its default, 80% of the machine.
            What does not fit is spilled to disk.
        spill_folder: where to; ``None`` is the system's temporary folder.
    """

    threads: int | None = None
    memory_limit: str | None = None
    spill_folder: str | None = None

    def __post_init__(self) -> None:
        require(
            self.threads is None or self.threads > 0,
            "engine.threads",
            self.threads,
            "a positive number or null",
        )


@contextmanager
def connect(engine: EngineSettings) -> Iterator[ibis.backends.duckdb.Backend]:
    """Open an in-memory DuckDB that spills into a private temporary folder, removed on leaving."""
    import ibis  # noqa: PLC0415 - slow to import, and not needed by training

    with tempfile.TemporaryDirectory(prefix="deminet-", dir=engine.spill_folder) as spill:
        config: dict[str, str | int] = {
            "threads": engine.threads or os.cpu_count() or 1,
            "temp_directory": spill,
            "preserve_insertion_order": True,
        }
        if engine.memory_limit:
            config["memory_limit"] = engine.memory_limit
        backend = ibis.duckdb.connect(**config)
        try:
            yield backend
        finally:
            backend.disconnect()
