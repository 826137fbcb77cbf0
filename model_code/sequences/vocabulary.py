"""Vocabularies of items, categories and users, made from the fit part alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from model_code.groups import PADDING, UNKNOWN, VocabularySizes

if TYPE_CHECKING:
    import ibis

    from model_code.events.engines.engine import Engine

FIRST_ID = UNKNOWN + 1
ITEMS, CATEGORIES, USERS = "items.parquet", "categories.parquet", "users.parquet"
UNSEEN = "unseen"  # folder of three files of the same names: what the fit part does not hold


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The ids of a log's fit part, for a model that is given ids as logged.

    Row r of each table has the id r + 2: ids 0 and 1 are padding and unknown.
    """

    items: pa.Table  # id, item_id, category (id of the latest one known in the fit part), count
    categories: pa.Table  # id, category_id, count
    users: pa.Table  # id, user_id, count

    @classmethod
    def load(cls, folder: Path) -> Vocabulary:
        """Read the three Parquet files of a prepared log."""
        return cls(*(pq.read_table(folder / name) for name in (ITEMS, CATEGORIES, USERS)))

    @property
    def sizes(self) -> VocabularySizes:
        """Rows of the embedding tables."""
        return VocabularySizes(*(t.num_rows + FIRST_ID for t in (self.items, self.categories, self.users)))

    @property
    def item_category(self) -> NDArray[np.int32]:
        """(sizes.items,) the category id of each item id, for candidates given as items alone."""
        known = self.items["category"].to_numpy()
        return np.concatenate([np.array([PADDING, UNKNOWN], dtype=np.int32), known])

    def encode_items(self, ids: Collection[Any]) -> NDArray[np.int32]:
        """Return the vocabulary ids of items as logged, UNKNOWN for null and for those not in the fit part.

        Raises:
            TypeError: when the ids are not of the type of the log's.
        """
        return _encode(ids, self.items["item_id"], "item")

    def encode_categories(self, ids: Collection[Any]) -> NDArray[np.int32]:
        """Do for categories what `encode_items` does."""
        return _encode(ids, self.categories["category_id"], "category")

    def encode_users(self, ids: Collection[Any]) -> NDArray[np.int32]:
        """Do for users what `encode_items` does."""
        return _encode(ids, self.users["user_id"], "user")


def _encode(ids: Collection[Any], known: pa.ChunkedArray, what: str) -> NDArray[np.int32]:
    try:
        values = _array(ids, known.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise TypeError(f"{what} ids of this log are of type {known.type}: {error}") from None
    row = pc.fill_null(pc.index_in(values, value_set=known, skip_nulls=True), UNKNOWN - FIRST_ID)
    found: NDArray[np.int32] = row.to_numpy() + np.int32(FIRST_ID)
    return found


def _array(ids: Collection[Any], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(ids, type=kind)
    except OverflowError:  # an integer that no int64 holds is in no log
        return pa.array([number if _is_int64(number) else None for number in ids], type=kind)


def _is_int64(number: int | None) -> bool:
    return number is not None and -(2**63) <= number < 2**63


def codes(events: ibis.Table, key: str, fit_end: int) -> ibis.Table:
    """Give each distinct ``key`` of the log a code, from 2 on.

    Those of the fit part come first, by descending count there and then by id: their codes are vocabulary
    ids. The others follow, by id: their codes only tell them apart.

    Args:
        events: a split log.
        key: "item_id", "category_id" or "user_id"; its nulls get no code.
        fit_end: the timestamp where the fit part ends.

    Returns:
        ``key``, ``events`` (in the whole log), ``count`` (in the fit part), ``code``.
    """
    import ibis  # noqa: PLC0415 - slow to import, and not needed by training

    known = events.filter(events[key].notnull())
    counts = known.group_by(key).agg(events=known.count(), count=(known.timestamp < fit_end).sum())
    place = ibis.row_number().over(ibis.window(order_by=[counts["count"].desc(), counts[key]]))
    return counts.mutate(code=(place + FIRST_ID).cast("int32"))


def latest_categories(events: ibis.Table, fit_end: int) -> ibis.Table:
    """Return ``item_id`` and the ``category_id`` last seen with it in the fit part, where one was known.

    Of categories seen at the same time the one with the largest id is taken.
    """
    import ibis  # noqa: PLC0415

    known = events.filter(events.timestamp < fit_end, events.category_id.notnull())
    seen = known.group_by("item_id", "category_id").agg(last=known.timestamp.max())
    latest_first = ibis.window(group_by=seen.item_id, order_by=[seen["last"].desc(), seen.category_id.desc()])
    ranked = seen.mutate(rank=ibis.row_number().over(latest_first))
    return ranked.filter(ranked["rank"] == 0).select("item_id", "category_id")


def write_vocabulary(
    connection: Engine,
    folder: Path,
    items: ibis.Table,
    categories: ibis.Table,
    users: ibis.Table,
    item_category: ibis.Table,
) -> None:
    """Write the vocabulary's files, and in a folder of their own the ids that the fit part does not hold.

    Args:
        connection: to the engine of the tables.
        folder: where to.
        items: what `codes` returned for "item_id".
        categories: likewise.
        users: likewise.
        item_category: what `latest_categories` returned.
    """
    import ibis  # noqa: PLC0415

    category = item_category.join(categories, "category_id").select("item_id", category="code")
    items = items.left_join(category, "item_id").select(
        "item_id", "count", "code", category=ibis.coalesce(category.category, UNKNOWN).cast("int32")
    )
    (folder / UNSEEN).mkdir()
    for coded, columns, file in (
        (items, ["item_id", "category", "count"], ITEMS),
        (categories, ["category_id", "count"], CATEGORIES),
        (users, ["user_id", "count"], USERS),
    ):
        _write(connection, coded.filter(coded["count"] > 0), columns, folder / file)
        _write(connection, coded.filter(coded["count"] == 0), columns[:1], folder / UNSEEN / file)


def _write(connection: Engine, coded: ibis.Table, columns: list[str], path: Path) -> None:
    table = connection.fetch(coded.order_by("code").select("code", *columns))
    # One chunk: else the file's bytes would depend on how many threads made the batches.
    pq.write_table(table.rename_columns(["id", *columns]).combine_chunks(), path)
