"""Metrics of click probabilities, each over all samples at once.

All functions take flat arrays of one length: ``label`` (n,) of 0 and 1, ``score`` (n,) floating and ``user``
(n,) integer. They need O(n log n) time and a few arrays of n; nothing depends on the order of the samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from model_code.evaluation.keys import majors, pack, ranks

Array = NDArray[Any]
SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")  # ties count once in two: one half each


class MetricError(Exception):
    """Samples on which a metric has no value; the message says why."""


@dataclass(frozen=True)
class Metrics:
    """What one set of scored samples is worth."""

    samples: int
    positives: int
    users: int
    auc: float  # chance that a positive scores above a negative, ties one half
    log_loss: float  # mean negative log-likelihood, nats
    gauc: float | None  # AUC by user, weighted by samples; None if no user has both classes
    gauc_users_left_out: int  # users of one class only, which have no AUC
    normalized_entropy: float  # log loss over that of always predicting the base rate; below 1 is useful
    calibration_error: float  # mean distance of predicted and observed rate over bins of equal mass
    base_rate: float
    mean_prediction: float


@dataclass(frozen=True)
class CalibrationCurve:
    """Predicted and observed click rate by bin, in order of score; bins without samples are left out."""

    mean_prediction: tuple[float, ...]
    observed_rate: tuple[float, ...]
    samples: tuple[int, ...]


def measure(label: Array, score: Array, user: Array, calibration_bins: int) -> Metrics:
    """Compute all metrics.

    Raises:
        MetricError: a label that is not 0 or 1, a score that is no probability, or samples of one class.
    """
    grouped = gauc(label, score, user)
    loss, base_rate = log_loss(label, score), float(np.mean(label, dtype=np.float64))
    return Metrics(
        samples=len(label),
        positives=int(np.count_nonzero(label)),
        users=grouped.users,
        auc=auc(label, score),
        log_loss=loss,
        gauc=grouped.value,
        gauc_users_left_out=grouped.users_left_out,
        normalized_entropy=loss / entropy(base_rate),
        calibration_error=calibration_error(calibration_curve(label, score, calibration_bins)),
        base_rate=base_rate,
        mean_prediction=float(np.mean(score, dtype=np.float64)),
    )


def auc(label: Array, score: Array) -> float:
    """Area under the ROC curve: the share of (positive, negative) pairs in the right order, ties one half.

    Exact: pairs are counted in integers.

    Raises:
        MetricError: samples of one class, or a score that is not finite.
    """
    negatives, positives = sorted_classes(label, score)
    doubled_wins = sum(int(np.searchsorted(negatives, positives, side).sum()) for side in SIDES)
    return doubled_wins / (2 * len(positives) * len(negatives))


def sorted_classes(label: Array, score: Array) -> tuple[Array, Array]:
    """The scores of the negatives and of the positives, each in ascending order."""
    check_samples(label, score)
    negatives, positives = _sorted_classes(label, score)
    if len(negatives) == 0 or len(positives) == 0:
        raise MetricError(
            f"AUC needs both classes: {len(positives):,} of {len(label):,} samples are positive"
        )
    return negatives, positives


def _sorted_classes(label: Array, values: Array) -> tuple[Array, Array]:
    negatives, positives = values[label != 1], values[label == 1]
    negatives.sort()
    positives.sort()
    return negatives, positives


def log_loss(label: Array, score: Array) -> float:
    """Mean negative log-likelihood of the labels, in nats.

    Probabilities are kept off 0 and 1 by the machine epsilon of their type, as scikit-learn does.

    Raises:
        MetricError: a score outside [0, 1].
    """
    return float(sample_losses(label, score).mean())


def sample_losses(label: Array, score: Array) -> Array:
    """(n,) float64: the negative log-likelihood of each label."""
    check_samples(label, score)
    if score.min() < 0 or score.max() > 1:
        raise MetricError(f"scores from {score.min()} to {score.max()} are no probabilities")
    epsilon = np.finfo(score.dtype).eps
    # In place from here on: each temporary would be as large as all columns together.
    losses: Array = np.clip(score, epsilon, 1 - epsilon).astype(np.float64)
    np.subtract(1, losses, out=losses, where=label != 1)
    np.log(losses, out=losses)
    return np.negative(losses, out=losses)


def entropy(base_rate: float) -> float:
    """Log loss of always predicting ``base_rate``, which lies strictly between 0 and 1."""
    return float(-base_rate * np.log(base_rate) - (1 - base_rate) * np.log1p(-base_rate))


def calibration_curve(label: Array, score: Array, bins: int) -> CalibrationCurve:
    """Mean score and observed rate in ``bins`` bins of equal mass, cut at quantiles of the score.

    Equal scores share a bin, the upper one at a cut; so with many ties bins differ in size and some are
    empty.
    """
    check_samples(label, score)
    ranks = len(score) * np.arange(1, bins) // bins
    cuts = np.partition(score, ranks)[ranks]
    bin_ = np.searchsorted(cuts, score, side="right")
    samples = np.bincount(bin_, minlength=bins)
    filled = samples > 0
    samples = samples[filled]
    predicted = np.bincount(bin_, weights=score, minlength=bins)[filled] / samples
    observed = np.bincount(bin_, weights=label, minlength=bins)[filled] / samples
    return CalibrationCurve(tuple(predicted.tolist()), tuple(observed.tolist()), tuple(samples.tolist()))


def calibration_error(curve: CalibrationCurve) -> float:
    """Expected calibration error: mean |predicted - observed| over bins, weighted by their samples."""
    distance = np.abs(np.subtract(curve.mean_prediction, curve.observed_rate))
    return float(np.average(distance, weights=curve.samples))


@dataclass(frozen=True)
class GroupedAuc:
    """AUC by user, weighted by the user's samples."""

    value: float | None  # None if no user has both classes
    users: int
    users_left_out: int


def gauc(label: Array, score: Array, user: Array) -> GroupedAuc:
    """Mean AUC over the users that have both classes, weighted by their samples."""
    by_user = user_aucs(label, score, user_codes(user))
    scored = ~np.isnan(by_user.auc)
    value = np.average(by_user.auc[scored], weights=by_user.samples[scored]) if scored.any() else None
    left_out = len(scored) - int(np.count_nonzero(scored))
    return GroupedAuc(None if value is None else float(value), len(scored), left_out)


def user_codes(user: Array) -> Array:
    """(n,) int32: the users numbered 0, 1, ... in their order; fast where a user's samples are neighbours."""
    first = np.flatnonzero(np.concatenate([[True], user[1:] != user[:-1]])[: len(user)])
    codes = np.unique(user[first], return_inverse=True)[1].astype(np.int32)
    return np.repeat(codes, np.diff(first, append=len(user)))


@dataclass(frozen=True)
class UserAucs:
    """The AUC of each user (NaN for a user of one class) and its number of samples; (users,) arrays."""

    auc: Array
    samples: Array


def user_aucs(label: Array, score: Array, user: Array) -> UserAucs:
    """AUC of each user, its pairs counted in integers; ``user`` holds codes 0, 1, ... without gaps."""
    check_samples(label, score)
    samples = np.bincount(user)
    negatives, positives = _sorted_classes(label, pack(user, ranks(score)))
    owner = majors(positives)
    of_user = np.bincount(owner, minlength=len(samples))
    first_negative = np.cumsum(samples - of_user) - (samples - of_user)
    doubled_wins = sum(np.searchsorted(negatives, positives, side) for side in SIDES)
    doubled_wins -= 2 * first_negative[owner]
    wins = np.bincount(owner, weights=doubled_wins, minlength=len(samples)) / 2
    pairs = of_user * (samples - of_user)
    auc_ = np.divide(wins, pairs, out=np.full(len(samples), np.nan), where=pairs > 0)
    return UserAucs(auc=auc_, samples=samples)


def check_samples(label: Array, score: Array) -> None:
    """Raise a `MetricError` unless there are samples, labels are 0 or 1 and scores finite."""
    if len(label) == 0:
        raise MetricError("there are no samples")
    if len(label) != len(score):
        raise MetricError(f"{len(label):,} labels but {len(score):,} scores")
    wrong = np.flatnonzero((label != 0) & (label != 1))
    if len(wrong):
        raise MetricError(f"label {label[wrong[0]]} at sample {wrong[0]:,} is neither 0 nor 1")
    wrong = np.flatnonzero(~np.isfinite(score))
    if len(wrong):
        raise MetricError(f"{len(wrong):,} scores are not finite, the first at sample {wrong[0]:,}")
