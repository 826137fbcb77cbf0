"""DeLong's test of two AUCs on the same samples, for reference.

It takes samples to be independent. Samples of a group and of a user are not, so its p-values are off here;
papers quote it, hence it is shown, and the bootstrap over users decides.

Source: E. DeLong, D. DeLong, D. Clarke-Pearson, Biometrics 44 (1988); placements by sorting.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np

from model_code.evaluation.metrics import Array, MetricError, sorted_classes
from model_code.evaluation.significance import p_value


class Placements(NamedTuple):
    """Where each sample stands among those of the other class, in the order of the samples.

    The mean of either is the AUC; ties count one half.
    """

    positives: Array  # (positives,) V10: share of the negatives that score below
    negatives: Array  # (negatives,) V01: share of the positives that score above


def placements(label: Array, score: Array) -> Placements:
    """Place every sample, in O(n log n)."""
    negatives, positives = sorted_classes(label, score)
    return Placements(
        positives=_share_below(negatives, score[label == 1]),
        negatives=1 - _share_below(positives, score[label == 0]),
    )


def delong(first: Placements, second: Placements) -> float:
    """Two-sided p-value of "both have the same AUC", for two scores of the same samples.

    Raises:
        MetricError: fewer than two samples of a class.
    """
    gaps = [of_first - of_second for of_first, of_second in zip(first, second, strict=True)]
    if min(len(gap) for gap in gaps) < 2:
        raise MetricError("DeLong's test needs two samples of each class")
    variance = sum(float(np.var(gap, ddof=1)) / len(gap) for gap in gaps)
    return p_value(float(gaps[0].mean()), sqrt(variance))


def _share_below(ascending: Array, score: Array) -> Array:
    order = np.argsort(score)
    sought = score[order]  # in order, which a search through memory rewards many times over
    share = np.empty(len(score))
    share[order] = np.searchsorted(ascending, sought, side="left")
    share[order] += np.searchsorted(ascending, sought, side="right")
    return share / (2 * len(ascending))
