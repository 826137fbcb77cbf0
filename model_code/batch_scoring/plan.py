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

from model_code.batch_scoring.inputs import BatchScoringError, read_ids
from model_code.batch_scoring.settings import BatchScoringSettings
from model_code.bundle import VOCABULARY, Bundle
from model_code.events.click_log import ClickLog
from model_code.events.engine import EngineSettings, connect
from model_code.events.parquet_files import read_parquet
from model_code.groups import UNKNOWN
from model_code.sequences.vocabulary import ITEMS, USERS

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
    candidate: NDArray[np.int32]  # (events,) the item's row of ``candidates``, -1 if it is not there
    user_ids: pa.ChunkedArray  # (users,) as logged
    unscored: Path  # Parquet: user_id, reason
    candidates: pa.Table | None  # item_id, code: by item_id; None where pairs are scored
    pairs: Path | None  # Parquet: u, user_id, item_id, code, seen: by user_id and item_id
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
        id_types = log.manifest["id_types"]
        items, users = (
            _vocabulary(connection, bundle, log, file, key)
            for file, key in ((ITEMS, "item_id"), (USERS, "user_id"))
        )
        events = read_parquet(connection, log.events)
        events = events.filter(events.timestamp < settings.moment(log.manifest["time"]["last"]))
        pairs = None
        if settings.pairs is not None:
            given = read_ids(connection, Path(settings.pairs), id_types, "user_id", "item_id")
            pairs = connection.create_table("pairs", given, temp=True)
            wanted = pairs.select("user_id").distinct()
        elif settings.users is not None:
            wanted = read_ids(connection, Path(settings.users), id_types, "user_id")
        else:
            wanted = events.select("user_id").distinct()
        numbered = _number_users(connection, wanted, events, users)
        offsets, user = _write_users(numbered, folder)
        candidates = None
        if pairs is None:
            candidates = _candidates(connection, settings, items, id_types)
        ordered = _code_events(events, numbered, items, candidates)
        item, candidate = _write_events(ordered, int(offsets[-1]), folder)
        if pairs is not None:
            _code_pairs(pairs, numbered, items, events).to_parquet(folder / "pairs.parquet")
        _unscored(numbered).to_parquet(folder / "unscored.parquet")
        return Plan(
            user=user,
            offsets=offsets,
            item=item,
            candidate=candidate,
            user_ids=_mapped(folder / "users.arrow"),
            unscored=folder / "unscored.parquet",
            candidates=None if candidates is None else candidates.order_by("row").drop("row").to_pyarrow(),
            pairs=None if pairs is None else folder / "pairs.parquet",
            counts=_counts(numbered, items, pairs if pairs is not None else candidates),
        )


def _vocabulary(connection: Backend, bundle: Bundle, log: ClickLog, file: str, key: str) -> ibis.Table:
    """``key`` and ``code``, the model's id."""
    path = bundle.path / VOCABULARY / file
    wanted, found = log.manifest["id_types"][key], pq.read_schema(path).field(key).type
    if (wanted == "BIGINT") != pa.types.is_integer(found):
        raise BatchScoringError(
            f"{log.path}: {key} is {wanted} in this log, but {found} in the one that {bundle.path} was"
            " trained on; set source.ids so that both are alike"
        )
    known = read_parquet(connection, path)
    return known.select(key, code=known["id"].cast("int32"))


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


def _candidates(
    connection: Backend, settings: BatchScoringSettings, known: ibis.Table, id_types: dict[str, str]
) -> ibis.Table:
    """``item_id``, ``code`` and ``row``, in order of ``item_id``."""
    import ibis  # noqa: PLC0415

    given = known.select("item_id")
    if settings.items is not None:
        given = read_ids(connection, Path(settings.items), id_types, "item_id")
    coded = _coded(given, known)
    place = ibis.row_number().over(order_by=coded.item_id)
    return connection.create_table("candidates", coded.mutate(row=place.cast("int32")), temp=True)


def _coded(rows: ibis.Table, known: ibis.Table) -> ibis.Table:
    """Rows with ``item_id``, and the model's id for it as ``code``."""
    import ibis  # noqa: PLC0415

    joined = rows.left_join(known, "item_id")
    return joined.select(*rows.columns, code=ibis.coalesce(joined.code, UNKNOWN))


def _code_events(
    events: ibis.Table, numbered: ibis.Table, known: ibis.Table, candidates: ibis.Table | None
) -> ibis.Table:
    """``code`` and ``candidate`` of the events of scored users, in the log's order."""
    import ibis  # noqa: PLC0415

    order = [name for name in ("u", "timestamp", "item_id", "behavior") if name in (*events.columns, "u")]
    rows = _coded(events.join(numbered.select("user_id", "u"), "user_id").select(*order), known)
    row = ibis.literal(-1, "int32")
    if candidates is not None:
        rows = rows.left_join(candidates.select("item_id", "row"), "item_id").drop("item_id_right")
        row = ibis.coalesce(rows["row"], row)
    return rows.mutate(candidate=row).order_by(order).select("code", "candidate")


def _write_events(
    ordered: ibis.Table, count: int, folder: Path
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    item, candidate = (_new(folder / name, np.int32, count) for name in ("item.npy", "candidate.npy"))
    start = 0
    path = folder / "events.parquet"
    ordered.to_parquet(path)
    for batch in _batches(path):
        end = start + batch.num_rows
        item[start:end], candidate[start:end] = batch["code"], batch["candidate"]
        start = end
    return item, candidate


def _code_pairs(pairs: ibis.Table, numbered: ibis.Table, known: ibis.Table, events: ibis.Table) -> ibis.Table:
    """The pairs of scored users, in order, with whether the user has the item in the log."""
    rows = _coded(pairs, known)
    scored = numbered.filter(numbered.u.notnull()).select("user_id", "u")
    rows = rows.join(scored, "user_id").select("u", "user_id", "item_id", "code")
    before = events.select("user_id", "item_id").distinct().mutate(seen=True)
    joined = rows.left_join(before, ["user_id", "item_id"])
    return joined.select("u", "user_id", "item_id", "code", seen=joined.seen.fill_null(False)).order_by(
        ["u", "item_id"]
    )


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
