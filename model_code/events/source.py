"""Settings that say where a raw log lies and what its columns mean."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from model_code.settings import SettingsError, require, settings

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNITS = ("s", "ms", "us", "ns", "iso")
ID_RULES = ("auto", "integer", "string")


def to_milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970 UTC, rounded down."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def milliseconds(name: str, text: str | None) -> int | None:
    """A setting's moment in milliseconds since 1970 UTC; ``name`` is the setting's, for the error."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min
    require(moment.tzinfo is not None, name, text, 'ISO 8601 with an offset, as "2017-11-25T00:00:00+08:00"')
    return to_milliseconds(moment)


@settings
class ColumnSettings:
    """The log's own name of each canonical column; ``category_id`` and ``behavior`` are optional."""

    user_id: str
    item_id: str
    timestamp: str
    category_id: str | None = None
    behavior: str | None = None

    def mapping(self) -> dict[str, str]:
        """Canonical name -> raw name, of the columns that the log has."""
        names = {
            "user_id": self.user_id,
            "item_id": self.item_id,
            "timestamp": self.timestamp,
            "category_id": self.category_id,
            "behavior": self.behavior,
        }
        return {canonical: raw for canonical, raw in names.items() if raw is not None}


@settings
class TimeSettings:
    """How the log writes time.

    Attributes:
        unit: whole "s", "ms", "us" or "ns" since 1970 UTC, or "iso", as 2017-11-25T08:00:00+08:00.
        zone: the zone of texts without an offset, as an IANA name ("Asia/Shanghai").
    """

    unit: str = "s"
    zone: str = "UTC"

    def __post_init__(self) -> None:
        require(self.unit in UNITS, "source.time.unit", self.unit, f"one of {', '.join(UNITS)}")


@settings
class CategoryTableSettings:
    """A table with each item's category: its path and its two column names."""

    path: str
    item_id: str
    category_id: str


@settings
class WindowSettings:
    """The time that counts, ``start <= time < end``: ISO 8601 with an offset; ``None`` leaves it open."""

    start: str | None = None
    end: str | None = None

    def __post_init__(self) -> None:
        start, end = self.milliseconds()
        ordered = start is None or end is None or start < end
        require(ordered, "source.window.end", self.end, f"later than source.window.start ({self.start})")

    def milliseconds(self) -> tuple[int | None, int | None]:
        """Start and end in milliseconds since 1970 UTC."""
        return milliseconds("source.window.start", self.start), milliseconds("source.window.end", self.end)


@settings
class SourceSettings:
    """A raw log.

    Attributes:
        path: a file, a folder (every .csv, .jsonl, .json and .parquet file below it, .gz included) or a glob.
        format: "table", or "taobao" for Taobao's UserBehavior.csv, which sets everything but the path.
        header: column names of CSV files that have no header line; ``None`` when they have one.
        columns: which raw column is what; needed for "table".
        time: unit and zone of the timestamps.
        categories: a table to take categories from, when the log has none.
        behaviors_known: raw behaviors that may occur, others are quarantined; ``None`` knows all.
        behaviors_kept: raw behaviors wanted, other known ones are counted as filtered; ``None`` keeps all.
        window: records outside are quarantined. Only a window catches a last line that is cut inside its
            timestamp: what is left of the number still is a time, but one long ago.
        ids: "auto" makes a column BIGINT if each kept value is a 64-bit integer as a computer writes it (no
            leading zero, no plus), else VARCHAR; "integer" quarantines what is not; "string" is VARCHAR.
    """

    path: str
    format: str = "table"
    header: tuple[str, ...] | None = None
    columns: ColumnSettings | None = None
    time: TimeSettings = TimeSettings()
    categories: CategoryTableSettings | None = None
    behaviors_known: tuple[str, ...] | None = None
    behaviors_kept: tuple[str, ...] | None = None
    window: WindowSettings = WindowSettings()
    ids: str = "auto"

    def __post_init__(self) -> None:
        require(bool(self.path), "source.path", self.path, "a file, a folder or a glob")
        formats = ("table", *PRESETS)
        require(self.format in formats, "source.format", self.format, f"one of {', '.join(formats)}")
        require(self.ids in ID_RULES, "source.ids", self.ids, f"one of {', '.join(ID_RULES)}")
        if self.format == "table":
            _check_table(self)
        else:
            _check_preset(self)

    @property
    def table_columns(self) -> dict[str, str]:
        """Canonical name -> raw name of the columns of a table source."""
        columns = self.as_table().columns
        return columns.mapping() if columns else {}

    def as_table(self) -> SourceSettings:
        """The same source with everything that its format implies written out."""
        if self.format == "table":
            return self
        return replace(self, format="table", **PRESETS[self.format])


# Taobao's UserBehavior.csv: no header; 25 November to 3 December 2017, Beijing time; clicks are "pv".
TAOBAO: dict[str, Any] = {
    "header": ("user_id", "item_id", "category_id", "behavior", "timestamp"),
    "columns": ColumnSettings(
        user_id="user_id",
        item_id="item_id",
        timestamp="timestamp",
        category_id="category_id",
        behavior="behavior",
    ),
    "behaviors_known": ("pv", "buy", "cart", "fav"),
    "behaviors_kept": ("pv",),
    "window": WindowSettings(start="2017-11-25T00:00:00+08:00", end="2017-12-04T00:00:00+08:00"),
}
PRESETS: dict[str, dict[str, Any]] = {"taobao": TAOBAO}


def _check_table(source: SourceSettings) -> None:
    columns = source.columns
    if columns is None:
        raise SettingsError(
            "source.columns = None: should name the columns of user_id, item_id and timestamp"
        )
    names = list(columns.mapping().values())
    require(len(set(names)) == len(names), "source.columns", names, "different columns")
    require(
        source.categories is None or columns.category_id is None,
        "source.columns.category_id",
        columns.category_id,
        "left out when source.categories gives the categories",
    )
    for name, behaviors in (
        ("source.behaviors_known", source.behaviors_known),
        ("source.behaviors_kept", source.behaviors_kept),
    ):
        named = behaviors is None or columns.behavior is not None
        require(named, name, behaviors, "left out when source.columns.behavior is not given")
        require(behaviors is None or len(behaviors) > 0, name, behaviors, "at least one behavior, or null")
    if source.behaviors_known is not None and source.behaviors_kept is not None:
        known = set(source.behaviors_kept) <= set(source.behaviors_known)
        require(known, "source.behaviors_kept", source.behaviors_kept, "among source.behaviors_known")


def _check_preset(source: SourceSettings) -> None:
    for field in fields(source):
        if field.name not in ("path", "format"):
            value = getattr(source, field.name)
            implied = f'left out: source.format "{source.format}" implies it'
            require(value == field.default, f"source.{field.name}", value, implied)
