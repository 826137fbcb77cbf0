"""Observations of a prepared log's test part, seen through the vocabulary of the model that scores it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from model_code.bundle import VOCABULARY, Bundle
from model_code.groups import UNKNOWN
from model_code.monitoring.observations import Observations, observations, popularity_deciles
from model_code.scoring import labels_like, predict, recode, sigmoid
from model_code.sequences.batches import ResidentLog
from model_code.sequences.codes import FIRST_ID
from model_code.sequences.data import SequenceData, SequenceFolder
from model_code.sequences.logged_ids import LoggedIds
from model_code.sequences.vocabulary import Vocabulary


def observe_log(
    bundle: Bundle, sequences: SequenceFolder, end: int | None, device: torch.device
) -> Observations:
    """Score a log's test part with a model, whatever log that was trained on, and describe what it saw.

    Args:
        bundle: the model.
        sequences: the prepared log.
        end: where the log's period ends, ms; ``None`` is just behind its last event.
        device: to score on.

    Raises:
        TypeError: the log's ids are of another type than those of the model's log.
    """
    data, logged = sequences.load(), LoggedIds.load(sequences)
    vocabulary = Vocabulary.load(bundle.path / VOCABULARY)
    seen = recode(data, logged, vocabulary, bundle.manifest["max_length"], device)
    scores = sigmoid(predict(bundle.load_model(device), data, seen, "test"))
    return describe(data, logged, vocabulary, seen, scores, end)


def describe(
    data: SequenceData,
    logged: LoggedIds,
    vocabulary: Vocabulary,
    seen: ResidentLog,
    scores: NDArray[np.float32],
    end: int | None,
) -> Observations:
    """The observations of the test part's groups.

    Args:
        data: the prepared log.
        logged: its ids.
        vocabulary: the model's.
        seen: the log in its ids.
        scores: (groups, C) click probabilities; column 0 is the positive.
        end: where the log's period ends, ms; ``None`` is just behind its last event.
    """
    samples = data.parts["test"]
    candidate = samples.candidates(slice(None))
    item, category = seen.item.cpu().numpy()[candidate], seen.category.cpu().numpy()[candidate]
    time = data.timestamp[samples.position]
    length = np.minimum(samples.history_end - samples.history_start, seen.max_length)
    columns = {
        "user": samples.user[:, None].astype(np.int64),
        "time": time[:, None],
        "label": labels_like(scores),
        "score": scores,
        "item_known": item != UNKNOWN,
        "user_known": (seen.user.cpu().numpy() != UNKNOWN)[samples.user, None],
        "popularity_decile": item_deciles(vocabulary)[item],
        "history_length": length[:, None].astype(np.int32),
        "gap_ms": (time - data.timestamp[samples.history_end - 1])[:, None],
    }
    flat: dict[str, Any] = {
        name: np.broadcast_to(values, scores.shape).ravel() for name, values in columns.items()
    }
    names = logged.categories.cast(pa.string()).take(pa.array(data.category[candidate].ravel()))
    flat["category"] = names
    owner = np.searchsorted(data.user_offsets, candidate, side="right") - 1
    flat["source"] = pa.array(owner.ravel(), mask=flat["label"] == 1)
    flat["category_known"] = pa.array(category.ravel() != UNKNOWN, mask=names.is_null().to_numpy(False))
    last = int(data.timestamp.max()) + 1
    return observations(flat, data.manifest["split_timestamp"], last if end is None else end, "log")


def item_deciles(vocabulary: Vocabulary) -> NDArray[np.int8]:
    """(sizes.items,) the popularity decile of each of a model's items, 0 for padding and unknown."""
    count = vocabulary.items["count"].to_numpy().astype(np.int64)
    return popularity_deciles(np.concatenate([np.zeros(FIRST_ID, dtype=np.int64), count]))
