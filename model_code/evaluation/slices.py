"""Metrics of parts of the samples, where a mean over all would hide a weakness."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from model_code.evaluation.metrics import Array, auc, log_loss
from model_code.evaluation.scores import Scores

HISTORY_LENGTHS = ((1, 4), (5, 9), (10, 19), (20, None))


@dataclass(frozen=True)
class Slice:
    """Metrics of one slice; both are None where it does not hold both classes."""

    dimension: str
    name: str
    samples: int
    positives: int
    auc: float | None
    log_loss: float | None


def slices(scores: Scores) -> tuple[Slice, ...]:
    """Metrics by item, user, history length and repetition; each dimension splits all samples."""
    label, score = scores.label, scores.score
    return tuple(
        _measure(dimension, name, label[chosen], score[chosen]) for dimension, name, chosen in _masks(scores)
    )


def _masks(scores: Scores) -> Iterator[tuple[str, str, Array]]:
    """Dimension, name and (n,) samples of each slice."""
    known = scores.item_known
    yield "Item", "known in the fit part", known
    yield "Item", "unknown", ~known
    known = scores.user_known
    yield "User", "known in the fit part", known
    yield "User", "new", ~known
    length = scores.history_length
    for shortest, longest in HISTORY_LENGTHS:
        chosen = length >= shortest
        if longest is None:
            yield "History length", f"{shortest} or more", chosen
        else:
            yield "History length", f"{shortest} to {longest}", chosen & (length <= longest)
    repeat = scores.repeat
    yield "Candidate", "repeats a history item", repeat
    yield "Candidate", "new to the history", ~repeat


def _measure(dimension: str, name: str, label: Array, score: Array) -> Slice:
    positives = int(np.count_nonzero(label))
    both = 0 < positives < len(label)
    return Slice(
        dimension=dimension,
        name=name,
        samples=len(label),
        positives=positives,
        auc=auc(label, score) if both else None,
        log_loss=log_loss(label, score) if both else None,
    )
