"""Rows as they should not be, for a log that puts the checks of the ingestion to work."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from model_code.events.simulation.writers import write_gzip
from model_code.settings import SettingsError

Fields = list[bytes]  # user, item, category, behavior, timestamp
Fault = Callable[[Fields], Fields]

LONG_AGO_MS = b"978307200000"  # 2001-01-01

FAULTS: tuple[tuple[str, Fault], ...] = (
    ("missing_user", lambda row: [b"", *row[1:]]),
    ("text_timestamp", lambda row: [*row[:4], b"n/a"]),
    ("missing_column", lambda row: [*row[:3], row[4]]),
    ("extra_column", lambda row: [*row, b"home"]),
    ("unknown_behavior", lambda row: [*row[:3], b"share", row[4]]),
    ("outside_window", lambda row: [*row[:4], LONG_AGO_MS]),
    ("invalid_utf8", lambda row: [row[0], b"\xff\xfe" + row[1], *row[2:]]),
    ("exact_duplicate", lambda row: row),
    ("missing_user", lambda row: [b"", *row[1:]]),
    ("text_timestamp", lambda row: [*row[:4], b"yesterday"]),
    ("unknown_behavior", lambda row: [*row[:3], b"", row[4]]),
    ("exact_duplicate", lambda row: row),
)


def plant_bad_rows(paths: Sequence[Path]) -> dict[str, int]:
    """Insert faulty copies of good rows into daily files, and leave the last line of the last file cut off.

    The good rows all stay. The same files come out the same.

    Args:
        paths: files of `write_daily_csv`.

    Returns:
        how many rows of each fault were planted.

    Raises:
        SettingsError: if a file has so few rows that a fault might be planted in a faulty row.
    """
    files = [gzip.decompress(path.read_bytes()).splitlines() for path in paths]
    rows = min((len(lines) - 1 for lines in files), default=0)
    if rows < len(FAULTS) and len(files) < len(FAULTS):  # else each fault has a file to itself
        raise SettingsError(
            f"simulation.clicks is too small: a day has {rows} rows, bad rows need {len(FAULTS)} of each day"
        )
    cut = b",".join(files[-1][1].split(b",")[:3])[:-1]
    for number, (_, fault) in reversed(list(enumerate(FAULTS))):  # backwards, so that none is made of another
        lines = files[number * len(files) // len(FAULTS)]
        row = 1 + (len(lines) - 1) * number // len(FAULTS)  # below the header
        lines.insert(row + 1, b",".join(fault(lines[row].split(b","))))
    for path, lines in zip(paths, files, strict=True):
        write_gzip(path, b"\n".join(lines) + b"\n" + (cut if path == paths[-1] else b""))
    return dict(Counter([name for name, _ in FAULTS] + ["cut_row"]))
