"""How good the model still is, where labels are there: its metrics on a window against the reference's."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from model_code.evaluation.metrics import (
    Array,
    MetricError,
    auc,
    calibration_curve,
    calibration_error,
    log_loss,
)
from model_code.evaluation.significance import Difference, Estimate, bootstrap, difference, estimate
from model_code.monitoring.drift import Counts, NoiseSettings, equivalent_users, resample
from model_code.monitoring.observations import Observations

CONFIDENCE = 0.95  # of the intervals shown
CALIBRATION_BINS = 15
BOOTSTRAP = 200  # draws of users for AUC and log loss, each O(n); their standard error is then 5% off


@dataclass(frozen=True)
class Quality:
    """A model's metrics on labelled rows.

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
    bias: float
    calibration_error: float


@dataclass(frozen=True)
class QualityChange:
    """How a metric changed.

    Attributes:
        name: "auc", "log_loss", "bias" or "calibration".
        title: for people.
        worse: the change, turned so that above zero is worse; of the bias, the absolute change.
        noise_limit: what noise alone hardly ever exceeds.
        interval: window minus reference, from two independent bootstraps; None for calibration.
    """

    name: str
    title: str
    worse: float
    noise_limit: float
    interval: Difference | None


@dataclass(frozen=True)
class QualityComparison:
    """Reference, window and the changes between them."""

    reference: Quality
    window: Quality
    changes: tuple[QualityChange, ...]


def compare_quality(
    reference: Observations, window: Observations, noise: NoiseSettings
) -> QualityComparison | None:
    """Measure the model on the labelled rows of both; ``None`` where one has none or one class only.

    Args:
        reference: the reference.
        window: the window.
        noise: how it is measured.
    """
    labelled = [table.select(~table.missing("label")) for table in (reference, window)]
    if any(len(table) == 0 or table.clicked.all() or not table.clicked.any() for table in labelled):
        return None
    try:
        sides = [_Side(table, noise.seed + number) for number, table in enumerate(labelled)]
    except MetricError:  # a draw of users of one class: too few users
        return None
    old, new = sides
    factor = NormalDist().inv_cdf(noise.quantile)

    def of_replicates(name: str, title: str, sign: int) -> QualityChange:
        gap = getattr(new.quality, name).value - getattr(old.quality, name).value
        pair = getattr(new.replicates, name), getattr(old.replicates, name)
        error = float(np.hypot(*(np.std(values, ddof=1) for values in pair)))
        # Draws of the two sides are independent, so that their differences vary as the difference does.
        return QualityChange(name, title, sign * gap, factor * error, difference(gap, *pair, CONFIDENCE))

    return QualityComparison(
        old.quality,
        new.quality,
        (
            of_replicates("auc", "AUC", -1),
            of_replicates("log_loss", "Log loss", 1),
            *_calibration_changes(old, new, noise),
        ),
    )


class _Side:
    """Metrics of one table, and what their noise is drawn from."""

    def __init__(self, table: Observations, seed: int) -> None:
        self.label: Array = table.table["label"].to_numpy().astype(np.int8)
        self.score: Array = table.column("score")
        self.user: Array = np.unique(table.column("user"), return_inverse=True)[1]
        self.replicates = bootstrap(self.label, self.score, self.user, BOOTSTRAP, seed)
        curve = calibration_curve(self.label, self.score, CALIBRATION_BINS)
        self.quality = Quality(
            rows=len(self.label),
            clicks=int(self.label.sum()),
            auc=estimate(auc(self.label, self.score), self.replicates.auc, CONFIDENCE),
            log_loss=estimate(log_loss(self.label, self.score), self.replicates.log_loss, CONFIDENCE),
            bias=float(self.score.mean(dtype=np.float64) / self.label.mean(dtype=np.float64) - 1),
            calibration_error=calibration_error(curve),
        )

    def sums_by_user(self, cuts: Array) -> Counts:
        """(users, 2 bins) sums of scores, then of labels, by user and bin of the score."""
        bins, users = len(cuts) + 1, int(self.user.max()) + 1
        place = self.user * bins + np.searchsorted(cuts, self.score, side="right")
        sums = [np.bincount(place, values, users * bins) for values in (self.score, self.label)]
        return np.concatenate([part.reshape(users, bins) for part in sums], axis=1)


def _calibration_changes(old: _Side, new: _Side, noise: NoiseSettings) -> list[QualityChange]:
    """Bias and calibration error; the noise of both comes from the reference's users, as that of drifts."""
    ranks = len(old.score) * np.arange(1, CALIBRATION_BINS) // CALIBRATION_BINS
    cuts = np.unique(np.partition(old.score, ranks)[ranks])
    sums = old.sums_by_user(cuts)
    rows = (
        np.bincount(old.user).astype(np.float64)[:, None],
        np.bincount(new.user).astype(np.float64)[:, None],
    )
    rng = np.random.default_rng([noise.seed, 2**31])
    draws = [
        resample(np.hstack([sums, rows[0]]), users, noise.replicates, rng)
        for users in (len(sums), equivalent_users(*rows))
    ]
    bias, error = (
        measure(draws[1]) - measure(draws[0]) for measure in (bias_of_sums, calibration_error_of_sums)
    )
    return [
        QualityChange(
            "bias",
            "Mean prediction over click rate",
            abs(new.quality.bias - old.quality.bias),
            float(np.quantile(np.abs(bias), noise.quantile)),
            None,
        ),
        QualityChange(
            "calibration",
            "Calibration error",
            new.quality.calibration_error - old.quality.calibration_error,
            float(np.quantile(error, noise.quantile)),
            None,
        ),
    ]


def bias_of_sums(sums: Counts) -> NDArray[np.float64]:
    """Mean prediction over click rate, minus 1, of (..., 2 bins + 1): scores, clicks, rows."""
    bins = sums.shape[-1] // 2
    scores, clicks = sums[..., :bins].sum(axis=-1), sums[..., bins:-1].sum(axis=-1)
    bias: NDArray[np.float64] = scores / np.maximum(clicks, 1) - 1
    return bias


def calibration_error_of_sums(sums: Counts) -> NDArray[np.float64]:
    """Mean |score - click| over bins, weighted by their rows, of (..., 2 bins + 1) as above."""
    bins = sums.shape[-1] // 2
    distance = np.abs(sums[..., :bins] - sums[..., bins:-1]).sum(axis=-1)
    error: NDArray[np.float64] = distance / np.maximum(sums[..., -1], 1)
    return error
