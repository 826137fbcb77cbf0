"""Export samples for a model from elsewhere: ``python -m model_code.sequences.export_samples --help``."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from model_code.files import replacing
from model_code.sequences.data import MANIFEST, SequenceData, SequenceFolder
from model_code.sequences.hashing import Stream, counter_hash
from model_code.sequences.logged_ids import LoggedIds

logger = logging.getLogger(__name__)

PARTS = ("validation", "test")  # those whose negatives are stored
HISTORY_SLOTS = 1 << 22  # held at once


def export_samples(sequences: SequenceFolder, part: str, out: Path, labels: bool = False) -> int:
    """Write a part's samples with ids as logged, for a model that this project does not know.

    One row a sample: ``sample_id``; ``user_id``, ``item_id``, ``category_id`` (null where the log has none);
    ``timestamp``, when the user is asked, in ms since the epoch; and the history that this project's models
    see, oldest first, as three lists: ``history`` (item ids), ``history_category_id``,
    ``history_timestamp``. Ids that the fit part does not hold are given too.

    Groups come in order of time. Within a group rows are shuffled: else the positive would be the first,
    and win every tie that a stable sort or an argmax breaks. ``sample_id`` still tells it: it is
    a key, no feature.

    Args:
        sequences: the prepared log.
        part: "validation" or "test".
        out: the Parquet file.
        labels: add ``label``, 1 for the clicked candidate.

    Returns:
        The number of samples.

    Raises:
        FileNotFoundError: when the folder is no prepared log, or one without the ids of later items.
    """
    if not (sequences.path / MANIFEST).is_file():
        raise FileNotFoundError(f"{sequences.path}: is no prepared log, there is no {MANIFEST} in it")
    data, logged = sequences.load(), LoggedIds.load(sequences)
    schema = _schema(logged, labels)
    samples = 0
    with replacing(out) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for sample_id in _sample_ids(data, part):
            columns = _columns(data, logged, part, sample_id)
            writer.write_batch(pa.record_batch([columns[name] for name in schema.names], schema=schema))
            samples += len(sample_id)
    return samples


def _schema(logged: LoggedIds, labels: bool) -> pa.Schema:
    user, item, category = logged.users.type, logged.items.type, logged.categories.type
    fields = [
        pa.field("sample_id", pa.int64(), nullable=False),
        pa.field("user_id", user, nullable=False),
        pa.field("item_id", item, nullable=False),
        pa.field("category_id", category),
        pa.field("timestamp", pa.int64(), nullable=False),
        pa.field("history", pa.list_(item), nullable=False),
        pa.field("history_category_id", pa.list_(category), nullable=False),
        pa.field("history_timestamp", pa.list_(pa.int64()), nullable=False),
    ]
    return pa.schema([*fields, pa.field("label", pa.int8(), nullable=False)] if labels else fields)


def _sample_ids(data: SequenceData, part: str) -> Iterator[NDArray[np.int64]]:
    """Sample ids, some whole groups at a time, those of a group in an order that says nothing."""
    groups, width = len(data.parts[part]), 1 + data.settings.negatives_per_positive
    step = max(1, HISTORY_SLOTS // (width * data.settings.max_length))
    for start in range(0, groups, step):
        ids = torch.arange(start * width, min(start + step, groups) * width).view(-1, width)
        order = counter_hash(Stream.EXPORT, data.settings.seed, ids).argsort(dim=1)
        yield ids.gather(1, order).view(-1).numpy()


def _columns(
    data: SequenceData, logged: LoggedIds, part: str, sample_id: NDArray[np.int64]
) -> dict[str, pa.Array]:
    samples = data.parts[part]
    group, column = np.divmod(sample_id, 1 + data.settings.negatives_per_positive)
    candidate = samples.candidates(group)[np.arange(len(group)), column]
    first = samples.history_start[group].astype(np.int64)
    length = samples.history_end[group] - first
    offsets = np.concatenate([[0], np.cumsum(length)])
    history = np.arange(offsets[-1]) + np.repeat(first - offsets[:-1], length)

    def lists(values: pa.Array) -> pa.Array:
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)

    return {
        "sample_id": pa.array(sample_id),
        "user_id": logged.users.take(pa.array(samples.user[group])),
        "item_id": logged.items.take(pa.array(data.item[candidate])),
        "category_id": logged.categories.take(pa.array(data.category[candidate])),
        "timestamp": pa.array(data.timestamp[samples.position[group]]),
        "history": lists(logged.items.take(pa.array(data.item[history]))),
        "history_category_id": lists(logged.categories.take(pa.array(data.category[history]))),
        "history_timestamp": lists(pa.array(data.timestamp[history])),
        "label": pa.array((column == 0).astype(np.int8)),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = _parse(arguments)
    try:
        samples = export_samples(SequenceFolder(options.folder), options.part, options.out, options.labels)
    except OSError as error:
        raise SystemExit(str(error)) from None
    logger.info("%s: %d samples of part %s", options.out, samples, options.part)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m model_code.sequences.export_samples",
        description="Write the samples that models are evaluated on, for a model of your own to score.",
    )
    parser.add_argument("folder", type=Path, help="a prepared log: the folder of the artifact `sequences`")
    parser.add_argument("out", type=Path, help="the Parquet file to write")
    parser.add_argument("--part", choices=PARTS, default="test", help="default test")
    parser.add_argument("--labels", action="store_true", help="say which candidates were clicked")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
