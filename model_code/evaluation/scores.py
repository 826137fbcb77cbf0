"""The table of scored samples: what the scoring of a model writes and everything here reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
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

# Dictionaries of columns in which hardly a value comes twice would take most of the time of writing.
ENCODING = {
    "compression": "zstd",
    "use_dictionary": ["user", "label", "history_length"],
    "column_encoding": {"sample_id": "DELTA_BINARY_PACKED", "group": "DELTA_BINARY_PACKED"},
}


class ScoresError(Exception):
    """A table of scores that is not what it should be; the message names the file and the remedy."""


class Column:
    """A column of `Scores`: an (n,) array, read from the file at each access."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, scores: Scores, owner: type) -> Array:
        return scores.read(self._name)


@dataclass(frozen=True)
class Scores:
    """Scored samples in ascending order of ``sample_id``, with columns named as in `SCHEMA`.

    No column is kept: together they would take several times the memory that measuring any of them does.
    """

    path: Path
    order: Array | None = None  # (n,) rows of the file in order of ``sample_id``; None if they lie so

    sample_id = Column()
    user = Column()
    label = Column()
    score = Column()
    logit = Column()
    item_known = Column()
    user_known = Column()
    history_length = Column()
    repeat = Column()

    def read(self, name: str) -> Array:
        """Read a column in batches, so that it lies in memory once."""
        with pq.ParquetFile(self.path) as file:
            column = np.empty(file.metadata.num_rows, SCHEMA.field(name).type.to_pandas_dtype())
            start = 0
            for batch in file.iter_batches(columns=[name]):
                end = start + batch.num_rows
                column[start:end] = batch.column(0).to_numpy(zero_copy_only=False)
                start = end
        return column if self.order is None else column[self.order]

    def fingerprint(self) -> str:
        """Digest of which samples these are, with their users and labels, whatever the scores."""
        digest = hashlib.sha256()
        for name in ("sample_id", "user", "label"):
            digest.update(self.read(name).data)
        return digest.hexdigest()


def write_scores(path: Path, batches: Iterable[pa.RecordBatch]) -> int:
    """Write ``batches`` of `SCHEMA` to a Parquet file and return the number of samples."""
    samples = 0
    with replacing(path) as temporary, pq.ParquetWriter(temporary, SCHEMA, **ENCODING) as writer:
        for batch in batches:
            writer.write_batch(batch)
            samples += batch.num_rows
    return samples


def read_scores(path: Path) -> Scores:
    """Open a table of scores.

    Raises:
        ScoresError: other columns than `SCHEMA` has, no samples, missing values or a sample twice.
    """
    schema = pq.read_schema(path)
    if not schema.equals(SCHEMA):
        raise ScoresError(
            f"{path} has the columns {_columns(schema)}, should have {_columns(SCHEMA)}; score anew"
        )
    ids = Scores(path).sample_id
    if len(ids) == 0:
        raise ScoresError(f"{path} holds no samples; was the scored part of the log empty?")
    if (ids[1:] > ids[:-1]).all():
        return Scores(path)
    order = np.argsort(ids)
    ids = ids[order]
    repeated = ids[1:][ids[1:] == ids[:-1]]
    if len(repeated):
        raise ScoresError(f"{path}: sample {repeated[0]} is there more than once; score anew")
    return Scores(path, order)


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}{'' if field.nullable else ' not null'}" for field in schema)
