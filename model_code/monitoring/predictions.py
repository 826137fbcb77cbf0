"""Observations of a prediction log: what a service was asked for, joined with the labels that came."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from numpy.typing import NDArray

from model_code.groups import UNKNOWN
from model_code.monitoring.from_log import item_deciles
from model_code.monitoring.observations import Observations, observations
from model_code.monitoring.prediction_log import LABELS, SCHEMA
from model_code.sequences.codes import FIRST_ID
from model_code.sequences.vocabulary import Vocabulary

KEY = ["request_id", "item_id"]


class PredictionLogError(Exception):
    """A prediction log that cannot be read; the message names the file and the remedy."""


@dataclass(frozen=True)
class PredictionCounts:
    """Where the rows of a prediction log and of its labels went.

    Attributes:
        other_versions: rows in the window that another version scored.
        repeats: rows of a request and an item that were there before; the first is used.
        bad_scores: rows whose score is no probability; left out.
        labels: rows of labels.
        repeated_labels: of a request and an item that had one; a click is kept before a non-click.
        unknown_labels: labels of a request and an item that the whole log does not hold.
    """

    other_versions: int
    repeats: int
    bad_scores: int
    labels: int
    repeated_labels: int
    unknown_labels: int

    def in_words(self) -> tuple[str, ...]:
        """Those that are not zero."""
        words = {
            "other_versions": "rows of other model versions were passed over",
            "repeats": "repeated rows were passed over",
            "bad_scores": "rows without a probability for a score were left out",
            "repeated_labels": "repeated labels were passed over",
            "unknown_labels": "labels are of no request and item in the log",
        }
        return tuple(f"{asdict(self)[name]:,} {said}" for name, said in words.items() if asdict(self)[name])


def observe_predictions(
    folder: Path, labels: Path | None, vocabulary: Vocabulary, version: str, start: int, end: int
) -> tuple[Observations, PredictionCounts]:
    """Read the rows of a window and of one model version.

    Args:
        folder: the prediction log, Parquet files of `prediction_log.SCHEMA`.
        labels: a folder or file of labels, of `prediction_log.LABELS`; ``None`` if there are none yet.
        vocabulary: the model's.
        version: the model version.
        start: ms since 1970 UTC.
        end: ms, exclusive.

    Raises:
        PredictionLogError: no files, or one with other columns.
    """
    log = _open(folder, SCHEMA, "prediction log")
    time = ds.field("time")
    inside = log.to_table(filter=(time >= start) & (time < end))
    rows = inside.filter(pc.equal(inside["model_version"], version))
    score = rows["score"].to_numpy()
    good = (score >= 0) & (score <= 1)  # not so of NaN
    usable = rows.filter(pa.array(good))
    first = _first_of_each(usable)
    told, label_counts = _labels(labels, log, first)
    counts = PredictionCounts(
        other_versions=inside.num_rows - rows.num_rows,
        repeats=usable.num_rows - first.num_rows,
        bad_scores=int((~good).sum()),
        **label_counts,
    )
    return observations(_columns(first, told, vocabulary), start, end, "predictions"), counts


def parquet_files(path: Path) -> list[Path]:
    """The file itself, or all Parquet files of a folder, in order of their names."""
    return [path] if path.is_file() else sorted(path.glob("**/[!.]*.parquet"))


def _open(path: Path, schema: pa.Schema, what: str) -> ds.Dataset:
    files = parquet_files(path)
    if not files:
        raise PredictionLogError(f"{path}: holds no Parquet file of a {what}; check the path")
    for file in files:
        found = pq.read_schema(file)
        types = {field.name: field.type for field in found}
        for field in schema:
            if types.get(field.name) != field.type:
                seen = types.get(field.name, "missing")
                raise PredictionLogError(
                    f"{file}: column {field.name} is {seen}, should be {field.type}; write it by the schema"
                    " of model_code.monitoring.prediction_log"
                )
    return ds.dataset([str(file) for file in files], schema=schema, format="parquet")


def _first_of_each(rows: pa.Table) -> pa.Table:
    """The first row, by time, of each request and item."""
    order = pc.sort_indices(
        rows, [("time", "ascending"), ("request_id", "ascending"), ("position", "ascending")]
    )
    ordered = rows.take(order)
    numbered = ordered.append_column("row", pa.array(np.arange(len(ordered))))
    first = numbered.group_by(KEY).aggregate([("row", "min")])["row_min"].to_numpy()
    return ordered.take(pa.array(np.sort(first)))


def _labels(path: Path | None, log: ds.Dataset, rows: pa.Table) -> tuple[pa.Array, dict[str, int]]:
    """(rows,) the label of each row, null where none has arrived, and the counts."""
    none = {"labels": 0, "repeated_labels": 0, "unknown_labels": 0}
    if path is None:
        return pa.nulls(rows.num_rows, pa.int8()), none
    table = _open(path, LABELS, "table of labels").to_table()
    _require_binary(table, path)
    distinct = table.group_by(KEY).aggregate([("clicked", "max")])
    unknown = distinct.join(log.to_table(columns=KEY), KEY, join_type="left anti").num_rows
    numbered = rows.select(KEY).append_column("row", pa.array(np.arange(rows.num_rows)))
    joined = numbered.join(distinct, KEY, join_type="left outer").sort_by("row")
    return joined["clicked_max"].combine_chunks(), {
        "labels": table.num_rows,
        "repeated_labels": table.num_rows - distinct.num_rows,
        "unknown_labels": unknown,
    }


def _require_binary(table: pa.Table, path: Path) -> None:
    wrong = table.filter(pc.invert(pc.is_in(table["clicked"], pa.array([0, 1], pa.int8()))))
    if wrong.num_rows:
        bad = wrong.slice(0, 1).to_pylist()[0]
        raise PredictionLogError(
            f"{path}: clicked is {bad['clicked']} for request {bad['request_id']!r}, item {bad['item_id']!r};"
            " it should be 1 or 0"
        )


def _columns(rows: pa.Table, label: pa.Array, vocabulary: Vocabulary) -> dict[str, Any]:
    item = _codes(rows["item_id"], vocabulary.items["item_id"])
    user = _codes(rows["user_id"], vocabulary.users["user_id"])
    of_item = vocabulary.item_category[item]
    names = vocabulary.categories["category_id"].cast(pa.string()).combine_chunks()
    place = pa.array(of_item - FIRST_ID, mask=of_item < FIRST_ID)
    category = names.take(place)
    time, last = rows["time"].to_numpy(), rows["last_event_time"]
    anonymous = rows["user_id"].is_null().to_numpy()
    named = pc.binary_join_element_wise("user", rows["user_id"], ":")
    unit = pc.coalesce(named, pc.binary_join_element_wise("request", rows["request_id"], ":"))
    return {
        "user": np.unique(unit.to_numpy().astype(str), return_inverse=True)[1].astype(np.int64),
        "source": pa.nulls(rows.num_rows, pa.int64()),
        "time": time,
        "label": label,
        "score": rows["score"].to_numpy(),
        "category": category,
        # A request names no category: an item's is the one that the model knows of it.
        "category_known": pa.array(np.ones(len(item), dtype=bool), mask=of_item < FIRST_ID),
        "item_known": item != UNKNOWN,
        "user_known": pa.array(user != UNKNOWN, mask=anonymous),
        "popularity_decile": item_deciles(vocabulary)[item],
        "history_length": rows["history_length"].to_numpy(),
        "gap_ms": pc.subtract(rows["time"], last).combine_chunks(),
    }


def _codes(ids: pa.ChunkedArray, known: pa.ChunkedArray) -> NDArray[np.int32]:
    """Vocabulary ids of ids as text."""
    place = pc.index_in(ids, value_set=known.cast(pa.string()).combine_chunks(), skip_nulls=True)
    codes: NDArray[np.int32] = pc.fill_null(place, UNKNOWN - FIRST_ID).to_numpy() + np.int32(FIRST_ID)
    return codes
