"""Models trained with several seeds each: their spread, and whether two of them differ.

A difference of two models is noisy for two reasons: which users are in the test part, which the bootstrap
over users measures, and which seeds they were trained with, which only training again does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from model_code.evaluation.evaluate import Evaluation
from model_code.evaluation.metrics import Array
from model_code.evaluation.scores import ScoresError

Metric = Literal["auc", "log_loss"]


@dataclass(frozen=True)
class SeedSummary:
    """A metric of one model over its seeds."""

    mean: float
    deviation: float | None  # between seeds, with S - 1 in the denominator; None with one seed
    values: tuple[float, ...]  # (S,) in the order of the seeds

    @classmethod
    def of(cls, values: Sequence[float]) -> SeedSummary:
        """Mean and spread of one value a seed, of one seed or more."""
        deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
        return cls(float(np.mean(values)), deviation, tuple(values))


@dataclass(frozen=True)
class SeedDifference:
    """Mean over S seeds of a main model's metric minus another's, and how sure it is."""

    value: float
    low: float
    high: float
    p_value: float  # two-sided, of "there is none"
    standard_error: float
    users_error: float  # its part from which users are in the test part
    seeds_error: float | None  # its part from training; None with one seed: it is left out of all above
    degrees_of_freedom: float | None  # of Student's t; None when nothing varies
    seeds: int


def summarise(evaluations: Sequence[Evaluation], metric: Metric) -> SeedSummary:
    """Mean and spread of a model's metric, from one evaluation a seed.

    Raises:
        ValueError: for no evaluation.
    """
    if not evaluations:
        raise ValueError("no seed to summarise: give an evaluation for each")
    return SeedSummary.of([_value(evaluation, metric) for evaluation in evaluations])


def compare_seeds(main: Sequence[Evaluation], other: Sequence[Evaluation], metric: Metric) -> SeedDifference:
    r"""Compare two models on the same test samples.

    With $d_s$ the difference under seed s, of S, the value is their mean. Its error is
    $\mathrm{se}^2 = \mathrm{se}_{users}^2 + \mathrm{se}_{seeds}^2$: the first is the standard deviation, over
    the R draws of users, of the mean over seeds of the draw's differences, with R - 1 degrees of freedom; the
    second is $\mathrm{sd}_s(d_s) / \sqrt S$, with S - 1. Interval and p-value are by Student's t with the
    degrees of freedom of Welch and Satterthwaite,
    $\mathrm{se}^4 / (\mathrm{se}_{users}^4 / (R - 1) + \mathrm{se}_{seeds}^4 / (S - 1))$.
    Noise that depends on both, seed and users, is counted twice, which is on the safe side.

    Args:
        main: its evaluations, one a seed.
        other: those of the other model, of the same seeds in the same order.
        metric: which metric.

    Raises:
        ScoresError: evaluations of different samples.
        ValueError: not as many seeds of either model, none at all, or evaluations under different settings,
            whose draws of users cannot be paired.
    """
    _check(main, other)
    gaps = np.subtract(summarise(main, metric).values, summarise(other, metric).values)
    draws = np.subtract(_mean_replicates(main, metric), _mean_replicates(other, metric))
    seeds, value = len(gaps), float(gaps.mean())
    errors, freedoms = [float(np.std(draws, ddof=1))], [len(draws) - 1]
    if seeds > 1:
        errors.append(float(np.std(gaps, ddof=1) / np.sqrt(seeds)))
        freedoms.append(seeds - 1)

    error, freedom = float(np.hypot.reduce(errors)), _welch_satterthwaite(errors, freedoms)
    confidence = main[0].settings.confidence
    margin = 0.0 if freedom is None else error * float(stats.t.ppf((1 + confidence) / 2, freedom))
    return SeedDifference(
        value=value,
        low=value - margin,
        high=value + margin,
        p_value=_p_value(value, error, freedom),
        standard_error=error,
        users_error=errors[0],
        seeds_error=errors[1] if seeds > 1 else None,
        degrees_of_freedom=freedom,
        seeds=seeds,
    )


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    r"""Adjust the p-values of m comparisons, so that all below α together err with probability α at most.

    In ascending order, $\tilde p_i = \max_{j \le i} \min(1, (m - j + 1)\, p_j)$; returned in the order given.

    Source: S. Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    order = np.argsort(p_values)
    factors = np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(np.minimum(1, factors * np.asarray(p_values, float)[order]))
    return tuple(adjusted.tolist())


def _check(main: Sequence[Evaluation], other: Sequence[Evaluation]) -> None:
    if len(main) != len(other) or not main:
        raise ValueError(
            f"{len(main)} and {len(other)} evaluations cannot be paired: give one of each model for each seed"
        )
    for evaluation in (*main, *other):
        if evaluation.settings != main[0].settings:
            raise ValueError("the models were evaluated under different settings; evaluate all anew")
        if evaluation.samples_fingerprint != main[0].samples_fingerprint:
            raise ScoresError("the models were not scored on the same samples; score all on one prepared log")


def _value(evaluation: Evaluation, metric: Metric) -> float:
    return evaluation.metrics.auc if metric == "auc" else evaluation.metrics.log_loss


def _mean_replicates(evaluations: Sequence[Evaluation], metric: Metric) -> Array:
    """(R,) the mean over seeds of each draw; draw r of every evaluation is of the same users."""
    draws = [
        evaluation.replicates.auc if metric == "auc" else evaluation.replicates.log_loss
        for evaluation in evaluations
    ]
    mean: Array = np.mean(draws, axis=0)
    return mean


def _welch_satterthwaite(errors: Sequence[float], freedoms: Sequence[int]) -> float | None:
    variances = np.square(errors)
    if not variances.any():
        return None
    return float(variances.sum() ** 2 / (variances**2 / freedoms).sum())


def _p_value(value: float, error: float, freedom: float | None) -> float:
    if freedom is None:
        return 1.0 if value == 0 else 0.0
    return float(2 * stats.t.sf(abs(value) / error, freedom))
