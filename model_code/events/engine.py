"""The embedded engine that prepares logs: DuckDB behind Ibis, in bounded memory, spilling to disk."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from model_code.settings import require, settings

if TYPE_CHECKING:
    import ibis


MEMORY = r"\d+(\.\d+)? *(b|[kmgt](i?b)?)|([1-9]\d?|100) *%"  # what DuckDB takes, in any case of letters


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
def connect(engine: EngineSettings) -> Iterator[ibis.backends.duckdb.Backend]:
    """Open an in-memory DuckDB that spills into a private temporary folder, removed on leaving.

    Raises:
        SettingsError: if there is no such spill folder.
    """
    import ibis  # noqa: PLC0415 - slow to import, and not needed by training

    with scratch_folder(engine) as spill:
        backend = ibis.duckdb.connect(
            **engine.config(), temp_directory=str(spill), preserve_insertion_order=True
        )
        try:
            yield backend
        finally:
            backend.disconnect()
