"""Settings that say where a raw log lies and what its columns mean."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

from model_code.events.presets import PRESETS, WITH_METADATA
from model_code.settings import SettingsError, parse, require, settings

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNITS = ("s", "ms", "us", "ns", "iso")
ID_RULES = ("auto", "integer", "string")
CATEGORY_FORMATS = ("table", "json_paths", "literal_paths")


def to_milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970 UTC, rounded down."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def read_moment(name: str, text: str | None) -> int | None:
    """The moment that the setting ``name`` gives, in ms since 1970 UTC; it should have an offset."""
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
class RowFilter:
    """The rows that count: those whose ``column`` holds the text ``value``."""

    column: str
    value: str


@settings
class CategoryListSettings:
    """A table of all categories that there are: its path and its column of them."""

    path: str
    category_id: str


@settings
class CategoryTableSettings:
    """A table with each item's category.

    Attributes:
        path: a file, a folder or a glob.
        item_id: the column of the items.
        category_id: the column of the categories.
        format: "table" is as the log's; "json_paths" has an object a line whose ``category_id`` is a path, a
            list from the broadest category to the narrowest, which counts, or a list of paths, of which the
            first counts; "literal_paths" is the same in Python's notation, which is read, never executed.
        only: other rows of the table tell something else, and are passed over; ``None`` reads all.
        valid_from: the column of the time from which a row holds, until the item's next row does. Before an
            item's first row its category is unknown. ``None``: a row holds for all time.
        time_unit: how ``valid_from`` is written, as in `TimeSettings`; ``None`` is as the log's.
        known: a list to compare with: categories that it lacks are counted, and kept.
    """

    path: str
    item_id: str
    category_id: str
    format: str = "table"
    only: RowFilter | None = None
    valid_from: str | None = None
    time_unit: str | None = None
    known: CategoryListSettings | None = None

    def __post_init__(self) -> None:
        formats = ", ".join(CATEGORY_FORMATS)
        require(self.format in CATEGORY_FORMATS, "source.categories.format", self.format, f"one of {formats}")
        if self.format != "table":
            for name in ("only", "valid_from"):
                value = getattr(self, name)
                require(value is None, f"source.categories.{name}", value, f"left out with {self.format}")
        unit, units = self.time_unit, ", ".join(UNITS)
        require(unit is None or unit in UNITS, "source.categories.time_unit", unit, f"one of {units}")
        timed = unit is None or self.valid_from is not None
        require(timed, "source.categories.time_unit", unit, "left out without source.categories.valid_from")


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
        return read_moment("source.window.start", self.start), read_moment("source.window.end", self.end)


@settings
class SourceSettings:
    """A raw log.

    Attributes:
        path: a file, a folder (every .csv, .jsonl, .json and .parquet file below it, .gz included) or a glob.
        format: "table", or that of a published log (`model_code.events.presets`), which sets everything but
            the path and the metadata: "taobao", "retailrocket", "amazon_2014", "amazon_2014_ratings",
            "amazon_2018", "amazon_2018_ratings", "amazon_2023".
        metadata: the file of Amazon's items, to take categories from; ``None`` leaves them unknown.
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
    metadata: str | None = None
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
        values = PRESETS[self.format](self.path, self.metadata)
        implied = parse(SourceSettings, values, f'source of format "{self.format}"')
        written = {name: getattr(implied, name) for name in values}
        return replace(self, format="table", metadata=None, **written)

    def paths(self) -> dict[str, str]:
        """Where its files lie, by the setting that says so."""
        table = self.as_table()
        paths = {"source.path": table.path}
        if table.categories:
            paths["source.metadata" if self.metadata else "source.categories.path"] = table.categories.path
            if table.categories.known:
                paths["source.categories.known.path"] = table.categories.known.path
        return paths


def _check_table(source: SourceSettings) -> None:
    columns = source.columns
    metadata = source.metadata
    require(metadata is None, "source.metadata", metadata, "left out: source.categories says what a table is")
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
    metadata = source.metadata
    require(metadata is None or bool(metadata), "source.metadata", metadata, "a file, or null")
    given = ("path", "format", "metadata") if source.format in WITH_METADATA else ("path", "format")
    for field in fields(source):
        if field.name not in given:
            value = getattr(source, field.name)
            implied = f'left out: source.format "{source.format}" implies it'
            require(value == field.default, f"source.{field.name}", value, implied)
