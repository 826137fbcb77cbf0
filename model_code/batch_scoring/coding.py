"""Ids as logged -> the model's, for events and candidates in the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from model_code.batch_scoring.inputs import BatchScoringError
from model_code.bundle import VOCABULARY, Bundle
from model_code.events.click_log import ClickLog
from model_code.events.parquet_files import read_parquet
from model_code.groups import UNKNOWN
from model_code.sequences.codes import count_events
from model_code.sequences.vocabulary import CATEGORIES, ITEMS, USERS, latest_categories

if TYPE_CHECKING:
    import ibis
    from ibis.backends.duckdb import Backend

_LAST = 2**31 - 1  # after every code


@dataclass(frozen=True)
class Known:
    """The ids that a model knows."""

    items: ibis.Table  # item_id, code, item_category: the model's ids
    categories: ibis.Table  # category_id, category_code
    users: ibis.Table  # user_id, code


def read_known(connection: Backend, bundle: Bundle, log: ClickLog, events: ibis.Table) -> Known:
    """Open a bundle's vocabulary for the events of a log.

    Raises:
        BatchScoringError: when the model knows other types of ids than the log.
    """
    items = _open(connection, bundle, log, ITEMS, "item_id")
    users = _open(connection, bundle, log, USERS, "user_id")
    # A log without categories has none of any type.
    has_categories = bool(events.category_id.notnull().any().to_pyarrow().as_py())
    categories = _open(connection, bundle, log if has_categories else None, CATEGORIES, "category_id")
    return Known(
        items=items.select("item_id", code=items["id"].cast("int32"), item_category=items["category"]),
        categories=categories.select("category_id", category_code=categories["id"].cast("int32")),
        users=users.select("user_id", code=users["id"].cast("int32")),
    )


def _open(connection: Backend, bundle: Bundle, log: ClickLog | None, file: str, key: str) -> ibis.Table:
    path = bundle.path / VOCABULARY / file
    if log is not None:
        wanted, found = log.manifest["id_types"][key], pq.read_schema(path).field(key).type
        if (wanted == "BIGINT") != pa.types.is_integer(found):
            raise BatchScoringError(
                f"{log.path}: {key} is {wanted} in this log, but {found} in the one that {bundle.path} was"
                " trained on; set source.ids so that both are alike"
            )
    return read_parquet(connection, path)


def code_events(events: ibis.Table, known: Known) -> ibis.Table:
    """Add ``code`` and ``category``, each event's own as in training, and ``place``.

    ``place`` puts events of one user, time and item in the order of training: those without a category
    first, then by its code, those of unknown ones last.
    """
    import ibis  # noqa: PLC0415 - slow to import, and not needed by training

    joined = events.left_join(known.items, "item_id").left_join(known.categories, "category_id")
    code = joined.category_code
    return joined.select(
        *events.columns,
        code=ibis.coalesce(joined.code, UNKNOWN),
        category=ibis.coalesce(code, UNKNOWN),
        place=ibis.ifelse(joined.category_id.isnull(), UNKNOWN, ibis.coalesce(code, _LAST)),
    )


def code_candidates(rows: ibis.Table, known: Known, events: ibis.Table, moment: int) -> ibis.Table:
    """Add ``code`` and ``category`` to rows with an ``item_id``.

    A category is that of the row's ``category_id`` where there is such a column; else the one that the model
    knows for the item; for an item that it does not know the latest one that the log has before ``moment``.
    """
    import ibis  # noqa: PLC0415

    columns = [name for name in rows.columns if name != "category_id"]
    joined = rows.left_join(known.items, "item_id")
    if "category_id" in rows.columns:
        joined = joined.left_join(known.categories, "category_id")
        category = joined.category_code
    else:
        unknown = rows.anti_join(known.items, "item_id").select("item_id").distinct()
        seen = events.semi_join(unknown, "item_id")
        latest = latest_categories(count_events(seen, moment, "item_id", "category_id"))
        latest = latest.join(known.categories, "category_id").select("item_id", "category_code")
        joined = joined.left_join(latest, "item_id", rname="{name}_latest")
        category = ibis.coalesce(joined.item_category, joined.category_code)
    return joined.select(
        *columns,
        code=ibis.coalesce(joined.code, UNKNOWN),
        category=ibis.coalesce(category, UNKNOWN).cast("int32"),
    )
