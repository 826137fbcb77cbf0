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

from model_code.evaluation.keys import majors, minors, pack, ranks
from model_code.evaluation.metrics import (
    SIDES,
    Array,
    MetricError,
    sample_losses,
    sorted_classes,
    user_aucs,
    user_codes,
)

BLOCK = 1 << 17  # samples weighed at once: what is computed of them stays in the processor's cache


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
    codes = user_codes(user)
    users = int(codes.max()) + 1
    if users < 2:
        raise MetricError("a bootstrap over users needs two of them or more")
    grouped = user_aucs(label, score, codes)
    samples = grouped.samples.astype(np.float64)
    losses = np.bincount(codes, weights=sample_losses(label, score))
    ranking = Ranking(label, score, codes)
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
    """How often each user was drawn, (users,), for each replicate."""
    generator = np.random.default_rng(seed)
    for _ in range(replicates):
        yield np.bincount(generator.integers(users, size=users), minlength=users)


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
        negatives, positives = sorted_classes(label, pack(ranks(score), user))
        self._negative_user, self._positive_user = minors(negatives), minors(positives)
        # For each positive, how many negatives score below it, and how many no more than it.
        ranked = majors(negatives), majors(positives)
        self._beaten = [np.searchsorted(*ranked, side) for side in SIDES]

    def auc(self, weight: Array) -> float:
        """AUC, each sample counted as often as its user's ``weight``, (users,) whole numbers, says."""
        # Weights are looked up at random: as bytes, those of millions of users fit the cache.
        weight = weight.astype(np.min_scalar_type(weight.max()))
        positives = weight[self._positive_user]
        doubled_wins = drawn = 0
        for start in range(0, len(self._negative_user), BLOCK):
            end = start + BLOCK
            drawn_each = np.take(weight, self._negative_user[start:end], mode="clip")  # no check of bounds
            up_to = drawn + np.cumsum(drawn_each, dtype=np.int64)
            for beaten in self._beaten:
                first, last = np.searchsorted(beaten, (start, end), side="right")
                doubled_wins += int(positives[first:last] @ up_to[beaten[first:last] - start - 1])
            drawn = int(up_to[-1])
        pairs = int(positives.sum(dtype=np.int64)) * drawn
        if pairs == 0:
            raise MetricError("a draw of users holds one class only: too few users for an interval")
        return doubled_wins / (2 * pairs)


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
