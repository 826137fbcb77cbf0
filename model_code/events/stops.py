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
            "room, and engine.memory_limit enough memory."
        ) from error


def _faults() -> tuple[type[Exception], ...]:
    # Asked for once something was raised: training needs no engine.
    import duckdb  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415

    return (OSError, duckdb.Error, pa.ArrowException)
