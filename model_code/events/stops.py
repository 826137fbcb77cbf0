"""What stops the preparation though rows may be sound: a full disk, too little memory, a lost file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_code.events.errors import IngestError


@contextmanager
def explaining_stops(work: str, out: Path) -> Iterator[None]:
    """Turn what the engine, pyarrow or the system raise into an error that says what to do.

    Args:
        work: what is done to what, as "splitting /logs/clicks".
        out: what is written.

    Raises:
        IngestError: in place of theirs.
    """
    try:
        yield
    except _faults() as error:
        raise IngestError(
            f"{work} stopped: {error}\n"
            f"Files should stay in place, and whole; the disk of {out} and engine.spill_folder need enough "
            "room, and engine.memory_limit, or Spark by engine.spark.conf, enough memory."
        ) from error


def _faults() -> tuple[type[Exception], ...]:
    # Asked for once something was raised: training needs no engine.
    import duckdb  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415

    faults = (OSError, duckdb.Error, pa.ArrowException)
    try:
        from py4j.protocol import Py4JError  # noqa: PLC0415 - an optional dependency
        from pyspark.errors import PySparkException  # noqa: PLC0415
    except ModuleNotFoundError:
        return faults
    return (*faults, PySparkException, Py4JError)
