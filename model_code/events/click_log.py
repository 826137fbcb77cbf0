"""What ingestion hands over: events, the quarantine, and the counts that tie both to the raw log."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model_code.files import Folder, read_json

USER_GROUPS = 64  # by hash: independent of each other, so that resampling them tells how sure a share is


@dataclass(frozen=True)
class Balance:
    """Where each raw record went, in records.

    Attributes:
        raw: records in the raw files, counted without the engine.
        kept: events that remain.
        quarantined: records set aside with a reason.
        duplicates: repeats of the same user, item, timestamp and behavior.
        filtered_behaviors: events of behaviors that are known but not wanted.
        filtered_users_events: events of users with too few of them.
    """

    raw: int
    kept: int
    quarantined: int
    duplicates: int
    filtered_behaviors: int
    filtered_users_events: int = 0

    def check(self) -> None:
        """Raise an `ArithmeticError` unless every raw record is accounted for exactly once."""
        parts = asdict(self)
        raw = parts.pop("raw")
        if raw != sum(parts.values()) or min(parts.values()) < 0:
            raise ArithmeticError(f"the log does not balance: {raw} raw records, but {parts}")


class EventFolder(Folder):
    """A folder with events and the counts that tie them to the raw log."""

    @property
    def events(self) -> Path:
        """The events."""
        return self.path / "events.parquet"

    @property
    def manifest(self) -> dict[str, Any]:
        """The counts."""
        manifest: dict[str, Any] = read_json(self.path / "manifest.json")
        return manifest

    @property
    def balance(self) -> Balance:
        """Where each raw record went."""
        return Balance(**self.manifest["balance"])


class ClickLog(EventFolder):
    """A folder with an ingested log.

    ``events.parquet``: ``user_id``, ``item_id``, ``category_id`` (each BIGINT or VARCHAR; an unknown category
    is NULL), ``timestamp`` (BIGINT, milliseconds since 1970 UTC) and, if the log has one, ``behavior``
    (VARCHAR); ordered by user, timestamp, item, behavior.
    ``quarantine.parquet``: ``file``, ``line`` (1-based; the row where the format has no lines), ``reason``
    and ``record`` (the raw text, of a line too long its start); ordered by file and line.
    ``behaviors.parquet``, if the log has behaviors: ``hour`` (ms, its start), ``user_group`` (0 to
    `USER_GROUPS` - 1), ``behavior`` and ``events``, counted before unwanted behaviors leave; ordered by all.
    ``manifest.json``: counts by bucket and by reason, files that repeat others whole (`RepeatedFile`), id
    types, first and last timestamp.
    """

    @property
    def quarantine(self) -> Path:
        """The records set aside."""
        return self.path / "quarantine.parquet"

    @property
    def behaviors(self) -> Path:
        """Events by hour, group of users and behavior."""
        return self.path / "behaviors.parquet"
