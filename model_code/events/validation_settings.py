"""What a click log must look like to be trained on."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from model_code.settings import require, settings


@settings
class ValidationSettings:
    """The limits that a suite of expectations refers to by name, as ``{$PARAMETER: smallest_rows}``.

    Shares are numbers in [0, 1].

    Attributes:
        earliest: first believable moment, ISO 8601; without an offset it is UTC. It catches seconds read as
            milliseconds, which land in January 1970.
        latest: last believable moment; it catches microseconds read as milliseconds.
        behaviors: the behaviours that may remain after ingestion; ``None`` are those that the source keeps,
            or knows. With neither, any may.
        smallest_rows: events needed to train and to judge a model.
        smallest_users: users needed.
        smallest_items: items needed.
        smallest_days: distinct days (UTC) needed, so that the log can be split by time.
        smallest_mean_events: events that a user has on average; below, there are no histories to learn from.
        smallest_known_category_share: events whose item has a category.
        largest_user_share: of all events, by one user; more looks like a bot.
        largest_item_share: of all events, on one item.
        largest_day_share: of all events, on one day.
        noticed_quarantine_share: of the raw rows; above, the report warns.
        largest_quarantine_share: of the raw rows; above, the log is refused.
        largest_duplicate_share: of the raw rows.
    """

    earliest: str = "1995-01-01"
    latest: str = "2100-01-01"
    behaviors: tuple[str, ...] | None = None
    smallest_rows: int = 1_000
    smallest_users: int = 50
    smallest_items: int = 50
    smallest_days: int = 2
    smallest_mean_events: float = 2.0
    smallest_known_category_share: float = 0.5
    largest_user_share: float = 0.02
    largest_item_share: float = 0.1
    largest_day_share: float = 0.5
    noticed_quarantine_share: float = 0.01
    largest_quarantine_share: float = 0.05
    largest_duplicate_share: float = 0.05

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            key = f"validation.{name}"
            if name.endswith("_share"):
                require(0 <= value <= 1, key, value, "a share in [0, 1]")
            elif name.startswith("smallest_"):
                require(value > 0, key, value, "a positive number")
        first, last = _milliseconds("earliest", self.earliest), _milliseconds("latest", self.latest)
        require(first < last, "validation.latest", self.latest, f"after earliest, {self.earliest}")
        named = self.behaviors is None or len(self.behaviors) > 0
        require(named, "validation.behaviors", self.behaviors, "at least one behaviour, or null")

    def parameters(self) -> dict[str, Any]:
        """The limits by name, as a suite compares them: moments in milliseconds since the epoch, UTC."""
        return asdict(self) | {
            "earliest": _milliseconds("earliest", self.earliest),
            "latest": _milliseconds("latest", self.latest),
            "behaviors": None if self.behaviors is None else list(self.behaviors),
        }


def _milliseconds(name: str, moment: str) -> int:
    expected = "a moment in ISO 8601, like 2017-11-25 or 2017-11-25T00:00:00+08:00"
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        require(False, f"validation.{name}", moment, expected)
        raise
    return round((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)
