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
    return tuple(_measure(dimension, name, chosen, scores) for dimension, name, chosen in _masks(scores))


def _masks(scores: Scores) -> Iterator[tuple[str, str, Array]]:
    yield "Item", "known in the fit part", scores.item_known
    yield "Item", "unknown", ~scores.item_known
    yield "User", "known in the fit part", scores.user_known
    yield "User", "new", ~scores.user_known
    for shortest, longest in HISTORY_LENGTHS:
        chosen = scores.history_length >= shortest
        if longest is None:
            yield "History length", f"{shortest} or more", chosen
        else:
            yield "History length", f"{shortest} to {longest}", chosen & (scores.history_length <= longest)
    yield "Candidate", "repeats a history item", scores.repeat
    yield "Candidate", "new to the history", ~scores.repeat


def _measure(dimension: str, name: str, chosen: Array, scores: Scores) -> Slice:
    label, score = scores.label[chosen], scores.score[chosen]
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
