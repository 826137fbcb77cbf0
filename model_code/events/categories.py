"""Each item's category from a table beside the log."""

from __future__ import annotations

from dataclasses import dataclass

import ibis

from model_code.events.checks import is_integer
from model_code.events.engines.engine import Engine
from model_code.events.errors import IngestError
from model_code.events.raw_table import CATEGORY_TABLE, open_table
from model_code.events.source import CategoryTableSettings


@dataclass(frozen=True)
class CategoryCounts:
    """What the raw table held.

    Attributes:
        rows: records of the raw table.
        items: items with a category.
        unusable: records without the form of a record, an item or a category; passed over.
        conflicts: items with several categories; the first in byte order counts, whatever the rows' order.
    """

    rows: int
    items: int
    unusable: int
    conflicts: int


@dataclass(frozen=True)
class Categories:
    """One category an item: ``table`` has ``item_id`` and ``category_id``, as text.

    ``all_integers`` is whether each category is an integer as a computer writes it.
    """

    table: ibis.Table
    counts: CategoryCounts
    all_integers: bool


def read_categories(connection: Engine, settings: CategoryTableSettings) -> Categories:
    """Read the category table.

    Raises:
        IngestError: if it is not there, lacks a column, or has no row with an item and a category.
    """
    columns = {"item_id": settings.item_id, "category_id": settings.category_id}
    raw = open_table(settings.path, columns, None, CATEGORY_TABLE)
    records = raw.scan(connection).records
    records = records.filter(records.record.notnull(), ~records.broken)
    records = records.select(**{name: records[name].strip().nullif("") for name in columns}).drop_null()
    grouped = records.group_by("item_id").agg(
        category_id=records.category_id.min(), choices=records.category_id.nunique(), rows=records.count()
    )
    table = connection.keep(grouped)
    conflicts = (table.choices > 1).sum()
    integers = is_integer(table.category_id).all()
    facts = table.agg(items=table.count(), rows=table.rows.sum(), conflicts=conflicts, integers=integers)
    counts = facts.to_pyarrow().to_pylist()[0]
    if not counts["items"]:
        raise IngestError(
            f"{settings.path}: none of its {raw.count} rows has both an item and a category; "
            "check source.categories.item_id and source.categories.category_id"
        )
    return Categories(
        table=table.select("item_id", "category_id"),
        counts=CategoryCounts(
            rows=raw.count,
            items=counts["items"],
            unusable=raw.count - counts["rows"],
            conflicts=counts["conflicts"],
        ),
        all_integers=counts["integers"],
    )
