"""How sure a metric is, by resampling users.

Samples of a group share a history and users come back, so samples are not independent; users are taken to be.
Each replicate draws as many users as there are, with replacement, and weighs each user's samples by the times
it was drawn. The draws depend on the seed and the number of users alone, so replicate r of every model scored
on the same samples is of the same draw: differences of replicates are the paired bootstrap of the difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import erfc, sqrt
from statistics import NormalDist

import numpy as np

from model_code.evaluation.metrics import Array, MetricError, sample_losses, sorted_classes, user_aucs


@dataclass(frozen=True)
class Estimate:
    """A value and its confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """A difference, its confidence interval and the two-sided p-value of "there is none"."""

    value: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True)
class Replicates:
    """One value of each metric for each draw of users."""

    auc: tuple[float, ...]
    log_loss: tuple[float, ...]
    gauc: tuple[float, ...] | None  # None if no user has both classes


def bootstrap(label: Array, score: Array, user: Array, replicates: int, seed: int) -> Replicates:
    """The metrics of ``replicates`` draws of users; O(n log n) once, then O(n) for each.

    Args:
        label: (n,) of 0 and 1.
        score: (n,) probabilities.
        user: (n,) integers; only which samples share one matters.
        replicates: number of draws.
        seed: fixes the draws.

    Raises:
        MetricError: fewer than two users, or a draw that holds one class only.
    """
    codes = np.unique(user, return_inverse=True)[1]
    users = int(codes.max()) + 1
    if users < 2:
        raise MetricError("a bootstrap over users needs two of them or more")
    ranking = Ranking(label, score, codes)
    grouped = user_aucs(label, score, codes)
    samples = grouped.samples.astype(np.float64)
    losses = np.bincount(codes, weights=sample_losses(label, score))
    grouped_samples = np.where(np.isnan(grouped.auc), 0, samples)
    grouped_wins = np.nan_to_num(grouped.auc) * samples

    auc, log_loss, gauc = [], [], []
    for weight in _draws(users, replicates, seed):
        auc.append(ranking.auc(weight))
        log_loss.append(_mean(weight, losses, samples))
        if grouped_samples.any():
            gauc.append(_mean(weight, grouped_wins, grouped_samples))
    return Replicates(tuple(auc), tuple(log_loss), tuple(gauc) or None)


def _draws(users: int, replicates: int, seed: int) -> Iterator[Array]:
    """How often each user was drawn, (users,) int32, for each replicate."""
    generator = np.random.default_rng(seed)
    for _ in range(replicates):
        yield np.bincount(generator.integers(users, size=users), minlength=users).astype(np.int32)


def _mean(weight: Array, total: Array, samples: Array) -> float:
    weight = weight.astype(np.float64)  # for a dot product of one type, which BLAS does
    drawn = weight @ samples
    if drawn == 0:
        raise MetricError("a draw of users holds no sample to measure: too few users for an interval")
    return float(weight @ total / drawn)


class Ranking:
    """Samples in order of score, so that the AUC under any weights of the users takes O(n)."""

    def __init__(self, label: Array, score: Array, user: Array) -> None:
        """Rank once; ``user`` holds codes 0, 1, ..."""
        negatives, positives = sorted_classes(label, score)
        order = [np.flatnonzero(label == class_) for class_ in (0, 1)]
        self._negative_user, self._positive_user = (user[rows[np.argsort(score[rows])]] for rows in order)
        self._below = np.searchsorted(negatives, positives, side="left")
        self._not_above = np.searchsorted(negatives, positives, side="right")
        # Written anew by each call: fresh arrays of this size would cost more than the arithmetic.
        self._drawn = np.empty(len(negatives), dtype=np.int32)
        self._drawn_up_to = np.zeros(len(negatives) + 1, dtype=np.int64)

    def auc(self, weight: Array) -> float:
        """AUC, each sample counted as often as its user's ``weight``, (users,) int32, says."""
        np.take(weight, self._negative_user, out=self._drawn, mode="clip")  # the default mode copies
        np.cumsum(self._drawn, out=self._drawn_up_to[1:])
        positives = weight[self._positive_user].astype(np.int64)
        pairs = int(positives.sum()) * int(self._drawn_up_to[-1])
        if pairs == 0:
            raise MetricError("a draw of users holds one class only: too few users for an interval")
        doubled_wins = positives @ (self._drawn_up_to[self._below] + self._drawn_up_to[self._not_above])
        return int(doubled_wins) / (2 * pairs)


def estimate(value: float, replicates: tuple[float, ...], confidence: float) -> Estimate:
    """The interval ``value`` ± z · (standard deviation of the replicates)."""
    margin = NormalDist().inv_cdf((1 + confidence) / 2) * _standard_error(replicates)
    return Estimate(value, value - margin, value + margin)


def difference(
    value: float, main: tuple[float, ...], other: tuple[float, ...], confidence: float
) -> Difference:
    """The paired difference main - other, ``value`` being that of all samples; see `p_value`."""
    paired = tuple(float(gap) for gap in np.subtract(main, other))
    interval = estimate(value, paired, confidence)
    return Difference(value, interval.low, interval.high, p_value(value, _standard_error(paired)))


def p_value(value: float, standard_error: float) -> float:
    """Two-sided, by the normal law: how often noise alone would give ``value`` or more.

    It is below 1 - confidence exactly when the interval leaves out zero.
    """
    if standard_error == 0:
        return 1.0 if value == 0 else 0.0
    return erfc(abs(value) / standard_error / sqrt(2))


def _standard_error(replicates: tuple[float, ...]) -> float:
    return float(np.std(replicates, ddof=1))
