"""The table of scored samples: what the scoring of a model writes and everything here reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from model_code.evaluation.metrics import Array
from model_code.files import replacing

SCHEMA = pa.schema(
    [
        pa.field("sample_id", pa.int64(), nullable=False),  # group * candidates of a group + column
        pa.field("group", pa.int64(), nullable=False),  # index of the positive among its part's samples
        pa.field("user", pa.int64(), nullable=False),  # row of the user in the prepared log
        pa.field("label", pa.int8(), nullable=False),  # 1 clicked, 0 drawn as a negative
        pa.field("score", pa.float32(), nullable=False),  # predicted click probability
        pa.field("logit", pa.float32(), nullable=False),
        pa.field("item_known", pa.bool_(), nullable=False),  # the fit part holds the item
        pa.field("user_known", pa.bool_(), nullable=False),  # the fit part holds the user
        pa.field("history_length", pa.int32(), nullable=False),  # events that the model was shown
        pa.field("repeat", pa.bool_(), nullable=False),  # the item occurs in that history
    ]
)


class ScoresError(Exception):
    """A table of scores that is not what it should be; the message names the file and the remedy."""


@dataclass(frozen=True)
class Scores:
    """Scored samples in ascending order of ``sample_id``: (n,) arrays, named as in `SCHEMA`."""

    sample_id: Array
    user: Array
    label: Array
    score: Array
    logit: Array
    item_known: Array
    user_known: Array
    history_length: Array
    repeat: Array

    def fingerprint(self) -> str:
        """Digest of which samples these are, with their users and labels, whatever the scores."""
        digest = hashlib.sha256()
        for column in (self.sample_id, self.user, self.label):
            digest.update(column.tobytes())
        return digest.hexdigest()


def write_scores(path: Path, batches: Iterable[pa.RecordBatch]) -> int:
    """Write ``batches`` of `SCHEMA` to a Parquet file and return the number of samples."""
    samples = 0
    with replacing(path) as temporary, pq.ParquetWriter(temporary, SCHEMA, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
            samples += batch.num_rows
    return samples


def read_scores(path: Path) -> Scores:
    """Read a table of scores.

    Raises:
        ScoresError: other columns than `SCHEMA` has, no samples, missing values or a sample twice.
    """
    schema = pq.read_schema(path)
    if not schema.equals(SCHEMA):
        raise ScoresError(
            f"{path} has the columns {_columns(schema)}, should have {_columns(SCHEMA)}; score anew"
        )
    table = pq.read_table(path, columns=[field.name for field in fields(Scores)])
    if table.num_rows == 0:
        raise ScoresError(f"{path} holds no samples; was the scored part of the log empty?")
    columns = {name: table[name].to_numpy() for name in table.column_names}
    ids = columns["sample_id"]
    if not (np.diff(ids) > 0).all():
        order = np.argsort(ids)
        columns = {name: column[order] for name, column in columns.items()}
        _refuse_repeated(path, columns["sample_id"])
    return Scores(**columns)


def _refuse_repeated(path: Path, ids: Array) -> None:
    repeated = ids[1:][np.diff(ids) == 0]
    if len(repeated):
        raise ScoresError(f"{path}: sample {repeated[0]} is there more than once; score anew")


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}{'' if field.nullable else ' not null'}" for field in schema)
