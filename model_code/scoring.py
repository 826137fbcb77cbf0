"""Scoring a part of a prepared log: logits by group, and the table of scored samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import nn

from model_code.evaluation.scores import SCHEMA, write_scores
from model_code.groups import PADDING, UNKNOWN
from model_code.sequences.batches import ResidentLog, scoring_batches
from model_code.sequences.data import SequenceData
from model_code.sequences.logged_ids import LoggedIds
from model_code.sequences.vocabulary import Vocabulary

Values = NDArray[np.float32]  # (groups, C)

GROUPS_PER_BATCH = 256
CHUNK = 1 << 15  # groups described at once


def predict(
    model: nn.Module, data: SequenceData, resident: ResidentLog, part: str, limit: int | None = None
) -> NDArray[np.float32]:
    """Logits of a part's groups in evaluation mode, (groups, C); column 0 is the positive.

    Args:
        model: on the device of ``resident``; its mode is restored.
        data: the log.
        resident: the same log on the device.
        part: "validation" or "test".
        limit: score a seeded subset of that many groups.
    """
    groups = len(data.parts[part]) if limit is None else min(limit, len(data.parts[part]))
    # Filled in place: small results kept between large temporaries would fragment the heap to gigabytes.
    logits = torch.empty(groups, 1 + data.settings.negatives_per_positive, device=resident.item.device)
    training, start = model.training, 0
    model.eval()
    with torch.inference_mode():
        for group in scoring_batches(data, resident, part, GROUPS_PER_BATCH, limit):
            end = start + len(group.length)
            logits[start:end] = model(group).logits
            start = end
    model.train(training)
    result: NDArray[np.float32] = logits.cpu().numpy()
    return result


def labels_like(logits: NDArray[np.float32]) -> NDArray[np.int8]:
    """Labels of groups: 1 in column 0, else 0."""
    labels = np.zeros(logits.shape, dtype=np.int8)
    labels[:, 0] = 1
    return labels


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Click probabilities."""
    result: NDArray[np.float32] = torch.from_numpy(logits).sigmoid().numpy()
    return result


def score_part(model: nn.Module, data: SequenceData, resident: ResidentLog, part: str, out: Path) -> int:
    """Score every group of a part and write the table of samples; returns their number."""
    logits = predict(model, data, resident, part)
    return write_samples(out, data, part, logits, from_logits)


def from_logits(logits: Values) -> tuple[Values, Values]:
    """Click probabilities, and the logits themselves."""
    return sigmoid(logits), logits


def write_samples(
    out: Path,
    data: SequenceData,
    part: str,
    values: Values,
    read: Callable[[Values], tuple[Values, Values]],
) -> int:
    """Write the table of a part's scored samples; returns their number.

    Args:
        out: the Parquet file.
        data: the log.
        part: "validation" or "test".
        values: (groups, C) what a model said; column 0 is the positive.
        read: turns some groups' values into scores and logits.
    """
    starts = range(0, len(values), CHUNK)
    chunks = ((start, *read(values[start : start + CHUNK])) for start in starts)
    return write_scores(out, (_describe(data, part, *chunk) for chunk in chunks))


def _describe(data: SequenceData, part: str, start: int, score: Values, logit: Values) -> pa.RecordBatch:
    """The rows of `SCHEMA` for the groups from ``start`` on."""
    samples = data.parts[part]
    rows = slice(start, start + len(score))
    item = data.item[samples.candidates(rows)]
    length = samples.history_end[rows] - samples.history_start[rows]
    slots = np.arange(length.max())
    history = data.item[np.minimum(samples.history_start[rows, None] + slots, len(data.item) - 1)]
    history[slots >= length[:, None]] = PADDING  # which is no candidate
    group = np.arange(start, start + len(score), dtype=np.int64)[:, None]
    width = score.shape[1]
    columns = {
        "sample_id": group * width + np.arange(width),
        "group": group,
        "user": samples.user[rows, None].astype(np.int64),
        "label": labels_like(score),
        "score": score,
        "logit": logit,
        "item_known": item < data.sizes.items,
        "user_known": data.user[samples.user[rows, None]] != UNKNOWN,
        "history_length": length[:, None].astype(np.int32),
        "repeat": (item[:, :, None] == history[:, None, :]).any(axis=2),
    }
    arrays = [pa.array(np.broadcast_to(columns[name], score.shape).ravel()) for name in SCHEMA.names]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def recode(
    data: SequenceData, logged: LoggedIds, other: Vocabulary, max_length: int, device: torch.device
) -> ResidentLog:
    """A log with the ids of another vocabulary, for a model that was trained on another log.

    What that model knows keeps its meaning, whether or not the log's own fit part holds it.

    Args:
        data: the log.
        logged: its ids.
        other: the model's vocabulary.
        max_length: the model's longest history.
        device: where to put it.
    """
    items, categories = other.encode_items(logged.items), other.encode_categories(logged.categories)
    return ResidentLog(
        item=torch.from_numpy(items[data.item]).to(device),
        category=torch.from_numpy(categories[data.category]).to(device),
        user=torch.from_numpy(other.encode_users(logged.users)).to(device),
        sizes=other.sizes,
        max_length=max_length,
    )
