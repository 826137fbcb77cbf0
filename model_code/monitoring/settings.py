"""What is compared when a model is watched, and which change means what."""

from __future__ import annotations

from dataclasses import fields

from model_code.monitoring.noise import NoiseSettings
from model_code.settings import require, settings


@settings
class Limits:
    """From where on a change is worth a warning, and from where on a retraining; ``None``: never."""

    warn: float
    retrain: float | None = None


@settings
class ThresholdSettings:
    """Limits of each change; it must also exceed what noise alone could do.

    Attributes:
        category: PSI of the categories' shares.
        popularity: PSI of the items' popularity deciles.
        history_length: PSI of the number of events that the model was shown.
        gap: PSI of the time since the last event.
        hour: PSI of the hours of the day.
        behavior: PSI of the behaviours' shares among the raw events.
        unknown_items: change of the share of items that the model does not know.
        unknown_categories: the same of categories.
        unknown_users: the same of users.
        score: PSI of the scores.
        auc: AUC lost.
        log_loss: log loss gained, in nats.
        bias: change of the mean prediction over the click rate.
        calibration: calibration error gained.
        quarantine: share of the raw rows in quarantine, rows outside the window left out.
    """

    category: Limits = Limits(warn=0.1, retrain=0.25)
    popularity: Limits = Limits(warn=0.1, retrain=0.25)
    history_length: Limits = Limits(warn=0.1, retrain=0.25)
    gap: Limits = Limits(warn=0.1, retrain=0.25)
    hour: Limits = Limits(warn=0.1, retrain=None)
    behavior: Limits = Limits(warn=0.1, retrain=None)
    unknown_items: Limits = Limits(warn=0.1, retrain=0.2)
    unknown_categories: Limits = Limits(warn=0.02, retrain=0.1)
    unknown_users: Limits = Limits(warn=0.1, retrain=0.3)
    score: Limits = Limits(warn=0.1, retrain=0.25)
    auc: Limits = Limits(warn=0.01, retrain=0.03)
    log_loss: Limits = Limits(warn=0.01, retrain=0.03)
    bias: Limits = Limits(warn=0.1, retrain=0.25)
    calibration: Limits = Limits(warn=0.01, retrain=0.03)
    quarantine: Limits = Limits(warn=0.02, retrain=None)

    def __post_init__(self) -> None:
        for field in fields(self):
            limits, key = getattr(self, field.name), f"monitoring.thresholds.{field.name}"
            require(limits.warn >= 0, f"{key}.warn", limits.warn, "a number from 0")
            ordered = limits.retrain is None or limits.retrain >= limits.warn
            require(ordered, f"{key}.retrain", limits.retrain, f"at least warn = {limits.warn}, or null")


@settings
class MonitoringSettings:
    """How a window is compared with the reference.

    Attributes:
        thresholds: from where on a change counts.
        noise_quantile: a change counts only beyond this quantile of what comes without any.
        replicates: draws of users that the quantile is taken from.
        seed: of all draws.
        smallest_rows: clicked rows (of a log) or rows (of a prediction log) below which a window is too small
            to say anything: the verdict is then a warning.
        sample_rows: rows, at most, of either side in Evidently's report; 0 leaves the report out.
    """

    thresholds: ThresholdSettings = ThresholdSettings()
    noise_quantile: float = 0.999
    replicates: int = 1000
    seed: int = 0
    smallest_rows: int = 100
    sample_rows: int = 100_000

    def __post_init__(self) -> None:
        quantile = self.noise_quantile
        require(0.5 < quantile < 1, "monitoring.noise_quantile", quantile, "a number in (0.5, 1)")
        enough = self.replicates * (1 - quantile) >= 1 - 1e-9
        require(enough, "monitoring.replicates", self.replicates, f"at least {round(1 / (1 - quantile)):,}")
        for name, least in (("seed", 0), ("smallest_rows", 1), ("sample_rows", 0)):
            value = getattr(self, name)
            require(value >= least, f"monitoring.{name}", value, f"a whole number from {least}")

    @property
    def noise(self) -> NoiseSettings:
        """How noise is measured."""
        return NoiseSettings(self.noise_quantile, self.replicates, self.seed)
