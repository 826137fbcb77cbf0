"""From a split log to a prepared one: codes, event arrays, samples, stored negatives, sanity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from model_code.events.engine import EngineSettings
from model_code.events.engines import start_engine
from model_code.events.split import ORDER, PARTS
from model_code.events.stops import explaining_stops
from model_code.files import replacing, write_json
from model_code.groups import UNKNOWN, VocabularySizes
from model_code.sequences.codes import FIRST_ID, Codes, count_events, regroup
from model_code.sequences.data import (
    EVENT_ARRAYS,
    MANIFEST,
    Samples,
    SequenceData,
    load_array,
    new_array,
)
from model_code.sequences.dense_codes import count_dense
from model_code.sequences.negatives import NegativeSampler
from model_code.sequences.samples import make_samples, user_ranges
from model_code.sequences.sanity import fit_groups, sanity
from model_code.sequences.settings import SequenceSettings
from model_code.sequences.vocabulary import latest_categories, write_vocabulary
from model_code.threads import in_threads, pieces

if TYPE_CHECKING:
    import ibis

    from model_code.events.engines.engine import Engine
    from model_code.events.split import SplitLog

_BATCH = 1 << 17  # events held in memory at once while arrays are written: they should fit in a cache
_HASHED = 16  # times as many, where codes are looked up in a hash table
_CHUNK = 1 << 16  # groups whose negatives are drawn at once


def build(split: SplitLog, settings: SequenceSettings, engine: EngineSettings, out: Path) -> SequenceData:
    """Prepare a split log for training and evaluation.

    Args:
        split: the log.
        settings: of samples and negatives.
        engine: how much of the machine to use; the bytes written do not depend on it.
        out: the folder to write.

    Raises:
        ValueError: when a part holds timestamps outside its period, an event has no item, rows are out of
            order, the fit part has no sample, or no group of a part can be filled with negatives.
        IngestError: when the disk or the memory is full, or a file is not what `split` wrote.
    """
    cuts = {name: int(split.manifest[name]) for name in ("validation_timestamp", "split_timestamp")}
    with explaining_stops(f"preparing {split.path}", out), replacing(out) as folder:
        folder.mkdir()
        with start_engine(engine) as connection:
            events = connection.read(split.events)
            counts = _write_arrays(connection, events, split.events, cuts, folder)
        data = _with_samples(folder, cuts | counts, settings)
        if not len(data.parts["fit"]):
            raise ValueError(
                f"{split.events}: no user has two events at different times before the validation cut"
            )
        data = _with_negatives(data, folder)
        drawn, dropped = fit_groups(data)
        _check_filled(data, len(drawn), split.events)
        in_threads(lambda part: data.parts[part].save(folder / part), data.parts)
        # Fit groups are drawn anew in each epoch of training: what was dropped is known of this draw alone.
        data.manifest["parts"]["fit"] |= {
            "sampled_groups": len(drawn) + dropped,
            "sampled_groups_dropped": dropped,
        }
        write_json(folder / MANIFEST, data.manifest | {"sanity": sanity(data, drawn)})
    return SequenceData.load(out)


def _write_arrays(
    connection: Engine, events: ibis.Table, path: Path, cuts: Mapping[str, int], folder: Path
) -> dict[str, Any]:
    """Write the vocabulary and the event arrays; return sizes, and numbers of codes and of events."""
    fit_end = cuts["validation_timestamp"]
    counted = count_dense(path, fit_end) or _count(connection, events, fit_end)
    items, categories, users, latest = counted
    write_vocabulary(folder, items, categories, users, latest)
    _write_users(users, folder)
    parts = _write_events(path, items, categories, users, cuts, folder)
    np.save(
        folder / "item_count.npy", np.concatenate([np.zeros(FIRST_ID, np.int64), items.count[: items.known]])
    )
    return {
        "items": len(items.ids),
        "categories": len(categories.ids),
        "sizes": VocabularySizes(items.size, categories.size, users.size)._asdict(),
        "identities": {"items": items.identities, "categories": categories.identities},
        "parts": parts,
    }


def _count(connection: Engine, events: ibis.Table, fit_end: int) -> tuple[Codes, Codes, Codes, pa.Table]:
    """Do what `count_dense` does for ids of any kind."""
    pairs = connection.keep(count_events(events, fit_end, "item_id", "category_id"))
    items, categories = (Codes.of(connection, regroup(pairs, key), key) for key in ("item_id", "category_id"))
    users = Codes.of(connection, count_events(events, fit_end, "user_id"), "user_id")
    return items, categories, users, connection.fetch(latest_categories(pairs))


def _write_users(users: Codes, folder: Path) -> None:
    """Write ``user_offsets`` and ``user``; user rows are in order of their ids."""
    order = pc.sort_indices(users.ids).to_numpy().astype(np.int64)
    np.save(folder / "user_offsets.npy", np.concatenate([[0], np.cumsum(users.events[order])]))
    np.save(folder / "user.npy", np.where(order < users.known, order + FIRST_ID, UNKNOWN).astype(np.int32))


def _write_events(
    path: Path, items: Codes, categories: Codes, users: Codes, cuts: Mapping[str, int], folder: Path
) -> dict[str, dict[str, int]]:
    """Stream the events into their three arrays, some row groups at once; return the events of each part."""
    dtypes: dict[str, type[np.generic]] = {"item": np.int32, "category": np.int32, "timestamp": np.int64}
    metadata = pq.read_metadata(path)
    groups = range(metadata.num_row_groups)
    starts = [0, *accumulate(metadata.row_group(group).num_rows for group in groups)]
    have = [int(codes.events.sum()) for codes in (users, items)]
    if have != [starts[-1]] * 2:
        raise ValueError(f"{path}: {starts[-1]} events, but {have[0]} have a user and {have[1]} an item")
    arrays = {name: new_array(folder, name, dtype, starts[-1]) for name, dtype in dtypes.items()}

    def write(groups: Sequence[int]) -> tuple[list[pa.RecordBatch], NDArray[np.int64]]:
        """Write some row groups; return the first and the last row of each batch, and the parts' events."""
        start, edges, parts = starts[groups[0]], [], np.zeros(len(PARTS), np.int64)
        with pq.ParquetFile(path, metadata=metadata) as file:
            for batch in file.iter_batches(_BATCH * len(groups), row_groups=groups, columns=[*ORDER, "part"]):
                _check_order(pa.Table.from_batches([batch]), path)
                parts += _count_parts(batch, cuts, path)
                rows = slice(start, start + len(batch))
                arrays["item"][rows] = items.encode(batch["item_id"])
                arrays["category"][rows] = categories.encode(batch["category_id"])
                arrays["timestamp"][rows] = batch["timestamp"].to_numpy()
                start = rows.stop
                edges += [batch.take([row]) for row in (0, len(batch) - 1)]  # a slice would keep all of it
        return edges, parts

    # What is looked up in a hash table, which each call makes, is so for many events at once.
    at_once = 1 if items.dense and categories.dense else _HASHED
    together = [groups[piece] for piece in pieces(len(groups), at_once)]
    written = in_threads(write, together)
    if edges := [edge for edges, _ in written for edge in edges]:
        _check_order(pa.Table.from_batches(edges), path)
    _order_ties(arrays, np.load(folder / "user_offsets.npy"))
    return {
        name: {"events": sum(int(parts[number]) for _, parts in written)} for number, name in enumerate(PARTS)
    }


def _count_parts(events: pa.RecordBatch, cuts: Mapping[str, int], path: Path) -> NDArray[np.int64]:
    """Count the events of each part; raise ValueError unless they lie in its period."""
    time, part = events["timestamp"].to_numpy(), events["part"].fill_null(len(PARTS)).to_numpy()
    right = (time >= cuts["validation_timestamp"]).astype(np.int8) + (time >= cuts["split_timestamp"])
    wrong = np.flatnonzero(part != right)
    if len(wrong):
        held, meant = (dict(enumerate(PARTS)).get(int(one[wrong[0]])) for one in (part, right))
        raise ValueError(
            f"{path}: an event at {time[wrong[0]]} is in {held or 'no part'}, but in {meant} by the cuts in "
            "manifest.json; split the log again"
        )
    return np.bincount(part, minlength=len(PARTS))


def _order_ties(arrays: dict[str, NDArray[Any]], user_offsets: NDArray[np.int64]) -> None:
    """Put events of one user, time and item in order of their categories' codes, as scoring does."""

    def order(users: tuple[int, int]) -> None:
        offsets = user_offsets[users[0] : users[1] + 1]
        timestamp, item, category = (
            arrays[name][offsets[0] : offsets[-1]] for name in ("timestamp", "item", "category")
        )
        tied = np.zeros(len(item) + 1, dtype=bool)  # whether an event is like the one before
        tied[1:-1] = (timestamp[1:] == timestamp[:-1]) & (item[1:] == item[:-1])
        tied[offsets - offsets[0]] = False
        rows = np.flatnonzero(tied[:-1] | tied[1:])
        run = np.cumsum(~tied[rows])
        category[rows] = category[rows][np.lexsort((category[rows], run))]

    in_threads(order, user_ranges(user_offsets))


def _check_order(rows: pa.Table, path: Path) -> None:
    """Raise ValueError unless rows are in the order of a split log."""
    earlier, later = rows[:-1], rows[1:]
    user, time = ORDER[:2]
    same = pc.and_(pc.equal(earlier[user], later[user]), pc.less(earlier[time], later[time]))
    # Nearly all rows need no look at the other columns.
    clear = pc.fill_null(pc.or_(pc.less(earlier[user], later[user]), same), False)
    unclear = pc.invert(clear).to_numpy().nonzero()[0]
    if not _in_order(earlier.take(unclear), later.take(unclear)):
        raise ValueError(f"{path}: its rows are not in order of {', '.join(ORDER)}; split the log again")


def _in_order(earlier: pa.Table, later: pa.Table) -> bool:
    """Whether each row of a table may come before that of another one."""
    in_order: Any = True  # of rows that are alike in all columns
    for name in reversed(ORDER):
        a, b = earlier[name], later[name]
        if name == "category_id":  # NULL is last
            less = pc.or_(pc.fill_null(pc.less(a, b), False), pc.and_(a.is_valid(), b.is_null()))
            equal = pc.or_(pc.fill_null(pc.equal(a, b), False), pc.and_(a.is_null(), b.is_null()))
        else:
            less, equal = pc.less(a, b), pc.equal(a, b)
        in_order = pc.or_(less, pc.and_(equal, in_order))
    return bool(pc.all(in_order, skip_nulls=False, min_count=0).as_py())


def _with_samples(folder: Path, manifest: dict[str, Any], settings: SequenceSettings) -> SequenceData:
    arrays = {name: load_array(folder, name) for name in EVENT_ARRAYS}
    return SequenceData(
        **arrays,
        parts=make_samples(arrays["timestamp"], arrays["user_offsets"], manifest, settings, folder),
        sizes=VocabularySizes(**manifest["sizes"]),
        settings=settings,
        manifest=manifest | {"settings": asdict(settings)},
    )


def _with_negatives(data: SequenceData, folder: Path) -> SequenceData:
    """Draw the negatives of validation and test, and count everything."""
    parts, counts = {"fit": data.parts["fit"]}, {}
    for part, samples in data.parts.items():
        counts[part] = data.manifest["parts"][part] | {
            "targets": len(samples),
            "blocks": len(samples.block_offsets) - 1,
        }
        if part != "fit":
            parts[part] = _fill(data, part, folder / part)
            counts[part]["groups_dropped"] = len(samples) - len(parts[part])
    totals = {"events": len(data.item), "users": len(data.user)}
    return replace(data, parts=parts, manifest=data.manifest | totals | {"parts": counts})


def _check_filled(data: SequenceData, fit_groups: int, path: Path) -> None:
    settings = data.settings
    groups = {part: len(samples) for part, samples in data.parts.items()} | {"fit": fit_groups}
    for part, filled in groups.items():
        if not filled:
            targets, blocks = (data.manifest["parts"][part][name] for name in ("targets", "blocks"))
            raise ValueError(
                f"{path}: no group of part {part} can be filled: {targets} targets in {blocks} blocks "
                f"(sequences.negative_block = {settings.negative_block}) give none of them "
                f"sequences.negatives_per_positive = {settings.negatives_per_positive} different items that "
                "its user has not; change these two, or take a longer log"
            )


def _fill(data: SequenceData, part: str, folder: Path) -> Samples:
    """Store the negatives of a part; samples whose group cannot be filled are left out."""
    samples = data.parts[part]
    sampler = NegativeSampler.of(data, part, torch.from_numpy(data.item), data.settings.seed)
    negatives = new_array(folder, "negatives", samples.position.dtype.type, len(samples), sampler.count)
    filled = np.empty(len(samples), dtype=bool)
    for start in range(0, len(samples), _CHUNK):
        rows = torch.arange(start, min(start + _CHUNK, len(samples)))
        drawn, full = sampler.draw(rows, epoch=0)
        negatives[start : start + _CHUNK], filled[start : start + _CHUNK] = drawn.numpy(), full.numpy()
    if filled.all():
        return replace(samples, negatives=negatives)
    kept = np.concatenate([[0], np.cumsum(filled)])
    return Samples(
        position=samples.position[filled],
        user=samples.user[filled],
        history_start=samples.history_start[filled],
        history_end=samples.history_end[filled],
        block_offsets=kept[samples.block_offsets],
        negatives=negatives[filled],
    )
