"""How good the model still is, where labels are there: its metrics on a window against the reference's."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from model_code.evaluation.delong import placements
from model_code.evaluation.metrics import Array, calibration_curve, calibration_error, sample_losses
from model_code.evaluation.significance import Difference, Estimate, p_value
from model_code.monitoring.noise import (
    NoiseSettings,
    Sums,
    Units,
    equivalent_users,
    side_by_side,
    sum_by_unit,
)
from model_code.monitoring.observations import Observations

CONFIDENCE = 0.95  # of the intervals shown
CALIBRATION_BINS = 15
FEWEST_USERS = 2  # below, no error can be told


@dataclass(frozen=True)
class Quality:
    """A model's metrics on labelled rows, with intervals.

    Attributes:
        rows: labelled ones.
        clicks: among them.
        auc: chance that a clicked row scores above one that was not.
        log_loss: in nats.
        bias: mean prediction over click rate, minus 1.
        calibration_error: mean distance of predicted and observed rate over bins of equal mass.
    """

    rows: int
    clicks: int
    auc: Estimate
    log_loss: Estimate
    bias: Estimate
    calibration_error: float


@dataclass(frozen=True)
class QualityChange:
    """How a metric changed.

    Attributes:
        name: "auc", "log_loss", "bias" or "calibration".
        title: for people.
        worse: the change, turned so that above zero is worse; of the bias, the absolute change.
        noise_limit: what noise alone hardly ever exceeds.
        difference: window minus reference, two independent samples; None for calibration.
    """

    name: str
    title: str
    worse: float
    noise_limit: float
    difference: Difference | None


@dataclass(frozen=True)
class QualityComparison:
    """Reference, window and the changes between them."""

    reference: Quality
    window: Quality
    changes: tuple[QualityChange, ...]


def compare_quality(
    reference: Observations, window: Observations, noise: NoiseSettings
) -> QualityComparison | None:
    """Measure the model on the labelled rows of both.

    Args:
        reference: the reference.
        window: the window.
        noise: how it is measured.

    Returns:
        ``None`` where one has no labels, labels of one class only, or of one user.
    """
    labelled = [table.select(~table.missing("label")) for table in (reference, window)]
    if not all(map(_measurable, labelled)):
        return None
    old, new = map(_Side, labelled)
    return QualityComparison(
        old.quality,
        new.quality,
        (
            _change("auc", "AUC", old, new, noise),
            _change("log_loss", "Log loss", old, new, noise),
            _change("bias", "Mean prediction over click rate, less 1", old, new, noise),
            _calibration_change(old, new, noise),
        ),
    )


def _measurable(table: Observations) -> bool:
    clicks = int(table.clicked.sum())
    return 0 < clicks < len(table) and len(np.unique(table.column("user"))) >= FEWEST_USERS


class _Side:
    """Metrics of one table. Each row's influence on a metric tells its error, whatever rows come together."""

    def __init__(self, table: Observations) -> None:
        self.table = table
        label: Array = table.table["label"].to_numpy().astype(np.int8)
        score: Array = table.column("score")
        self.label, self.score = label, score
        place, rows = placements(label, score), len(label)
        auc, losses, rate = float(place.positives.mean()), sample_losses(label, score), label.mean()
        of_auc = np.empty(rows)
        of_auc[label == 1] = (place.positives - auc) / len(place.positives)
        of_auc[label == 0] = (place.negatives - auc) / len(place.negatives)
        bias = float(score.mean(dtype=np.float64) / rate - 1)
        self.errors = {
            "auc": self._error(of_auc),
            "log_loss": self._error((losses - losses.mean()) / rows),
            "bias": self._error((score - (1 + bias) * label) / (rows * rate)),
        }
        self.quality = Quality(
            rows=rows,
            clicks=int(label.sum()),
            auc=self._estimate("auc", auc),
            log_loss=self._estimate("log_loss", float(losses.mean())),
            bias=self._estimate("bias", bias),
            calibration_error=calibration_error(calibration_curve(label, score, CALIBRATION_BINS)),
        )

    def sums(self, cuts: Array) -> Units:
        """(units, 2 bins + 1) sums of the scores and of the labels by bin of the score, and rows."""
        bins, place = len(cuts) + 1, np.searchsorted(cuts, self.score, side="right")
        everything = np.zeros(len(place), dtype=np.int64)
        return side_by_side(
            sum_by_unit(self.table, place, bins, self.score),
            sum_by_unit(self.table, place, bins, self.label),
            sum_by_unit(self.table, everything, 1),
        )

    def _error(self, influence: NDArray[np.float64]) -> float:
        everything = np.zeros(len(influence), dtype=np.int64)
        return float(sum_by_unit(self.table, everything, 1, influence).standard_errors()[0])

    def _estimate(self, name: str, value: float) -> Estimate:
        margin = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * self.errors[name]
        return Estimate(value, value - margin, value + margin)


def _change(name: str, title: str, old: _Side, new: _Side, noise: NoiseSettings) -> QualityChange:
    gap = getattr(new.quality, name).value - getattr(old.quality, name).value
    error = hypot(old.errors[name], new.errors[name])
    margin = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * error
    two_sided = name == "bias"
    beyond = (1 - noise.quantile) / 2 if two_sided else 1 - noise.quantile
    return QualityChange(
        name=name,
        title=title,
        worse=abs(gap) if two_sided else -gap if name == "auc" else gap,
        noise_limit=-NormalDist().inv_cdf(beyond) * error,
        difference=Difference(gap, gap - margin, gap + margin, p_value(gap, error)),
    )


def _calibration_change(old: _Side, new: _Side, noise: NoiseSettings) -> QualityChange:
    """The calibration error is no smooth mean: its noise comes from resampling, as that of drifts."""
    ranks = len(old.score) * np.arange(1, CALIBRATION_BINS) // CALIBRATION_BINS
    cuts = np.unique(np.partition(old.score, ranks)[ranks])
    sums = old.sums(cuts)
    rng = np.random.default_rng([noise.seed, 2**31])
    before, after = (
        calibration_error_of_sums(sums.resample(users, noise.replicates, rng))
        for users in (sums.users, equivalent_users(sums, new.sums(cuts)))
    )
    return QualityChange(
        name="calibration",
        title="Calibration error",
        worse=new.quality.calibration_error - old.quality.calibration_error,
        noise_limit=float(np.quantile(after - before, noise.quantile)),
        difference=None,
    )


def calibration_error_of_sums(sums: Sums) -> NDArray[np.float64]:
    """Mean |score - click| over bins, weighted by rows, of (..., 2 bins + 1): scores, clicks, all rows."""
    bins = sums.shape[-1] // 2
    distance = np.abs(sums[..., :bins] - sums[..., bins:-1]).sum(axis=-1)
    error: NDArray[np.float64] = distance / np.maximum(sums[..., -1], 1)
    return error
