"""Vocabularies of items, categories and users, made from the fit part alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from model_code.groups import PADDING, UNKNOWN, VocabularySizes
from model_code.sequences.codes import FIRST_ID, Codes, encode

if TYPE_CHECKING:
    import ibis

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
    return encode(values, known)


def _array(ids: Collection[Any], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(ids, type=kind)
    except OverflowError:  # an integer that no int64 holds is in no log
        return pa.array([number if _is_int64(number) else None for number in ids], type=kind)


def _is_int64(number: int | None) -> bool:
    return number is not None and -(2**63) <= number < 2**63


def latest_categories(pairs: ibis.Table) -> ibis.Table:
    """Return ``item_id`` and the ``category_id`` last seen with it in the fit part, where one was known.

    Of categories seen at the same time the one with the largest id is taken.

    Args:
        pairs: of the two, as counted by `count_events`.
    """
    import ibis  # noqa: PLC0415

    seen = pairs.filter(pairs["last"].notnull(), pairs.category_id.notnull())
    latest_first = ibis.window(group_by=seen.item_id, order_by=[seen["last"].desc(), seen.category_id.desc()])
    ranked = seen.mutate(rank=ibis.row_number().over(latest_first))
    return ranked.filter(ranked["rank"] == 0).select("item_id", "category_id")


def write_vocabulary(
    folder: Path, items: Codes, categories: Codes, users: Codes, item_category: pa.Table
) -> None:
    """Write the vocabulary's files, and in a folder of their own the ids that the fit part does not hold.

    Args:
        folder: where to.
        items: of the log.
        categories: of the log.
        users: of the log.
        item_category: what `latest_categories` returned.
    """
    category = np.full(items.identities, UNKNOWN, dtype=np.int32)
    category[items.encode(item_category["item_id"])] = categories.encode(item_category["category_id"])
    (folder / UNSEEN).mkdir()
    for codes, key, more, file in (
        (items, "item_id", {"category": category[FIRST_ID:]}, ITEMS),
        (categories, "category_id", {}, CATEGORIES),
        (users, "user_id", {}, USERS),
    ):
        ids = np.arange(FIRST_ID, codes.identities, dtype=np.int32)
        table = pa.table({"id": ids, key: codes.ids, **more, "count": codes.count})
        pq.write_table(table[: codes.known], folder / file)
        pq.write_table(table[codes.known :].select(["id", key]), folder / UNSEEN / file)
