"""What is to be scored, as coded arrays and tables on disk: histories by user, candidates, pairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from model_code.batch_scoring.coding import Known, code_candidates, code_events, read_known
from model_code.batch_scoring.inputs import read_ids
from model_code.batch_scoring.settings import BatchScoringSettings
from model_code.bundle import Bundle
from model_code.events.click_log import ClickLog
from model_code.events.engine import EngineSettings, connect
from model_code.events.parquet_files import read_parquet
from model_code.groups import UNKNOWN

if TYPE_CHECKING:
    import ibis
    from ibis.backends.duckdb import Backend

NO_HISTORY = "no event before the moment of scoring"
_BATCH = 1_000_000  # rows held in memory at once while arrays are written


@dataclass(frozen=True, eq=False)
class Plan:
    """A folder of scratch files; arrays are memory-mapped, and users are numbered in order of their ids.

    User u has the events [offsets[u], offsets[u + 1]), oldest first.
    """

    user: NDArray[np.int32]  # (users,) the model's id
    offsets: NDArray[np.int64]  # (users + 1,)
    item: NDArray[np.int32]  # (events,) the model's id
    category: NDArray[np.int32]  # (events,) likewise, of the event's own category
    candidate: NDArray[np.int32] | None  # (events,) the item's row of ``candidates``, -1 if it is not there;
    # None where it is of no use: seen items are not left out, or pairs are scored
    user_ids: pa.ChunkedArray  # (users,) as logged
    unscored: Path  # Parquet: user_id, reason
    candidates: pa.Table | None  # item_id, code, category: by item_id; None where pairs are scored
    # Parquet: u, user_id, item_id, code, category, and seen where these are left out: by user_id and item_id
    pairs: Path | None
    counts: dict[str, int]


def make_plan(
    log: ClickLog, bundle: Bundle, settings: BatchScoringSettings, engine: EngineSettings, folder: Path
) -> Plan:
    """Look up, sort and write what is to be scored; the engine spills what does not fit its memory.

    Args:
        log: the events.
        bundle: whose vocabulary gives the ids.
        settings: users, candidates and moment.
        engine: how much of the machine to use; the result does not depend on it.
        folder: an empty one, for the scratch files.

    Raises:
        BatchScoringError: when a file cannot be used, or the model knows other types of ids than the log.
    """
    with connect(engine) as connection:
        id_types, moment = log.manifest["id_types"], settings.moment(log.manifest["time"]["last"])
        events = read_parquet(connection, log.events)
        known = read_known(connection, bundle, log, events)
        category_type = known.categories.category_id.type()
        events = events.mutate(category_id=events.category_id.cast(category_type))
        id_types = {**id_types, "category_id": "BIGINT" if category_type.is_integer() else "VARCHAR"}
        events = events.filter(events.timestamp < moment)
        pairs = candidates = None
        if settings.pairs is not None:
            given = read_ids(connection, Path(settings.pairs), id_types, "user_id", "item_id")
            pairs = connection.create_table("pairs", given, temp=True)
            wanted = pairs.select("user_id").distinct()
        elif settings.users is not None:
            wanted = read_ids(connection, Path(settings.users), id_types, "user_id")
        else:
            wanted = events.select("user_id").distinct()
        numbered = _number_users(connection, wanted, events, known.users)
        offsets, user = _write_users(numbered, folder)
        before = events if settings.exclude_seen else None
        if pairs is None:
            given = known.items.select("item_id")
            if settings.items is not None:
                given = read_ids(connection, Path(settings.items), id_types, "item_id")
            candidates = _candidates(connection, code_candidates(given, known, events, moment))
        else:
            coded = code_candidates(pairs, known, events, moment)
            _order_pairs(coded, numbered, before).to_parquet(folder / "pairs.parquet")
        ordered = _order_events(events, numbered, known, candidates if settings.exclude_seen else None)
        arrays = _write_events(ordered, int(offsets[-1]), folder)
        _unscored(numbered).to_parquet(folder / "unscored.parquet")
        return Plan(
            user=user,
            offsets=offsets,
            item=arrays["item"],
            category=arrays["category"],
            candidate=arrays.get("candidate"),
            user_ids=_mapped(folder / "users.arrow"),
            unscored=folder / "unscored.parquet",
            candidates=None if candidates is None else candidates.order_by("row").drop("row").to_pyarrow(),
            pairs=None if pairs is None else folder / "pairs.parquet",
            counts=_counts(numbered, known.items, pairs if pairs is not None else candidates),
        )


def _number_users(
    connection: Backend, wanted: ibis.Table, events: ibis.Table, known: ibis.Table
) -> ibis.Table:
    """``user_id``, ``code``, ``events`` and ``u``: numbers from 0 for those with events, null for others."""
    import ibis  # noqa: PLC0415 - slow to import, and not needed by training

    counts = events.group_by("user_id").agg(events=events.count())
    users = wanted.left_join(counts, "user_id").drop("user_id_right").left_join(known, "user_id")
    users = users.select(
        "user_id", code=ibis.coalesce(users.code, UNKNOWN), events=ibis.coalesce(users.events, 0)
    )
    place = ibis.row_number().over(group_by=users.events > 0, order_by=users.user_id)
    numbered = users.mutate(u=ibis.ifelse(users.events > 0, place, ibis.null("int64")))
    return connection.create_table("numbered", numbered, temp=True)


def _write_users(numbered: ibis.Table, folder: Path) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Stream the users with events, in order, to ``users.arrow`` and two arrays."""
    scored = numbered.filter(numbered.u.notnull()).order_by("u").select("user_id", "code", "events")
    count = int(numbered.u.count().to_pyarrow().as_py())
    offsets = _new(folder / "offsets.npy", np.int64, count + 1)
    user = _new(folder / "user.npy", np.int32, count)
    start = 0
    path = folder / "users.parquet"
    scored.to_parquet(path)
    schema = pa.schema([pq.read_schema(path).field("user_id")])
    with pa.OSFile(str(folder / "users.arrow"), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for batch in _batches(path):
            end = start + batch.num_rows
            user[start:end] = batch["code"]
            offsets[start + 1 : end + 1] = offsets[start] + np.cumsum(batch["events"])
            writer.write_batch(pa.record_batch([batch["user_id"]], schema=schema))
            start = end
    return offsets, user


def _candidates(connection: Backend, coded: ibis.Table) -> ibis.Table:
    """Candidates with their ``row``, in order of ``item_id``."""
    import ibis  # noqa: PLC0415

    place = ibis.row_number().over(order_by=coded.item_id)
    return connection.create_table("candidates", coded.mutate(row=place.cast("int32")), temp=True)


def _order_events(
    events: ibis.Table, numbered: ibis.Table, known: Known, candidates: ibis.Table | None
) -> ibis.Table:
    """``item``, ``category`` and, with candidates, ``candidate`` of scored users' events, as in training."""
    import ibis  # noqa: PLC0415

    columns = ("u", "timestamp", "item_id", "category_id")
    rows = code_events(events.join(numbered.select("user_id", "u"), "user_id").select(*columns), known)
    kept = ["item", "category"]
    rows = rows.rename(item="code")
    if candidates is not None:
        joined = rows.left_join(candidates.select("item_id", "row"), "item_id")
        rows = joined.select(*rows.columns, candidate=ibis.coalesce(joined["row"], -1).cast("int32"))
        kept.append("candidate")
    return rows.order_by("u", "timestamp", "item_id", "place").select(*kept)


def _write_events(ordered: ibis.Table, count: int, folder: Path) -> dict[str, NDArray[np.int32]]:
    """Stream the events to an array for each of their columns."""
    arrays = {name: _new(folder / f"{name}.npy", np.int32, count) for name in ordered.columns}
    start = 0
    path = folder / "events.parquet"
    ordered.to_parquet(path)
    for batch in _batches(path):
        end = start + batch.num_rows
        for name, array in arrays.items():
            array[start:end] = batch[name]
        start = end
    return arrays


def _order_pairs(coded: ibis.Table, numbered: ibis.Table, before: ibis.Table | None) -> ibis.Table:
    """The pairs of scored users, in order; with events before, whether the user has the item among them."""
    scored = numbered.filter(numbered.u.notnull()).select("user_id", "u")
    rows = coded.join(scored, "user_id").select("u", "user_id", "item_id", "code", "category")
    if before is not None:
        pairs = before.select("user_id", "item_id").distinct().mutate(seen=True)
        joined = rows.left_join(pairs, ["user_id", "item_id"])
        rows = joined.select(*rows.columns, seen=joined.seen.fill_null(False))
    return rows.order_by("u", "item_id")


def _unscored(numbered: ibis.Table) -> ibis.Table:
    import ibis  # noqa: PLC0415

    without = numbered.filter(numbered.u.isnull())
    return without.select("user_id", reason=ibis.literal(NO_HISTORY)).order_by("user_id")


def _counts(numbered: ibis.Table, known: ibis.Table, candidates: ibis.Table) -> dict[str, int]:
    of = {
        "users": numbered.count(),
        "users_without_history": numbered.u.isnull().sum(),
        "unknown_users": (numbered.code == UNKNOWN).sum(),
    }
    facts: dict[str, Any] = numbered.agg(**of).to_pyarrow().to_pylist()[0]
    given = candidates.select("item_id").distinct()
    facts["items"] = given.count().to_pyarrow().as_py()
    facts["unknown_items"] = given.anti_join(known, "item_id").count().to_pyarrow().as_py()
    if "user_id" in candidates.columns:
        facts["pairs"] = candidates.count().to_pyarrow().as_py()
    return {name: int(value or 0) for name, value in facts.items()}


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The rows of a scratch file, which is removed after them."""
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(_BATCH)
    path.unlink()


def _new(path: Path, dtype: type[Any], count: int) -> NDArray[Any]:
    """An array of zeros on disk."""
    if count == 0:  # which cannot be mapped
        return np.zeros(0, dtype)
    return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(count,))


def _mapped(path: Path) -> pa.ChunkedArray:
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).read_all()["user_id"]
