"""Curves to draw: few points, each exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model_code.evaluation.metrics import Array, sorted_classes

ROC_POINTS = 200
HISTOGRAM_BINS = 60


@dataclass(frozen=True)
class RocCurve:
    """Rates of false and true positives as the threshold falls, from (0, 0) to (1, 1)."""

    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]


@dataclass(frozen=True)
class ScoreHistogram:
    """Share of each class's samples by bin of the logit; logits beyond the ends count in the end bins."""

    edges: tuple[float, ...]  # one more than bins
    negatives: tuple[float, ...]
    positives: tuple[float, ...]


def roc_curve(label: Array, score: Array) -> RocCurve:
    """The ROC curve at quantiles of either class's scores: every point lies on the full curve."""
    negatives, positives = sorted_classes(label, score)
    thresholds = np.unique(np.concatenate([_quantiles(negatives), _quantiles(positives)]))[::-1]
    false = 1 - np.searchsorted(negatives, thresholds, side="left") / len(negatives)
    true = 1 - np.searchsorted(positives, thresholds, side="left") / len(positives)
    return RocCurve((0.0, *false.tolist(), 1.0), (0.0, *true.tolist(), 1.0))


def score_histogram(label: Array, logit: Array) -> ScoreHistogram:
    """How the logits of each class spread, between their 0.1% and 99.9% quantiles."""
    negatives, positives = sorted_classes(label, logit)
    low = float(min(_at(negatives, 0.001), _at(positives, 0.001)))
    high = float(max(_at(negatives, 0.999), _at(positives, 0.999)))
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, HISTOGRAM_BINS + 1)

    def shares(values: Array) -> tuple[float, ...]:
        inner = np.searchsorted(values, edges[1:-1], side="left")
        return tuple((np.diff(inner, prepend=0, append=len(values)) / len(values)).tolist())

    return ScoreHistogram(tuple(edges.tolist()), shares(negatives), shares(positives))


def _quantiles(ascending: Array) -> Array:
    return ascending[np.linspace(0, len(ascending) - 1, ROC_POINTS // 2).astype(np.int64)]


def _at(ascending: Array, share: float) -> float:
    return float(ascending[int(share * (len(ascending) - 1))])
