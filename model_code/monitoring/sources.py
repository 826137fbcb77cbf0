"""Where a prediction log lies."""

from __future__ import annotations

from model_code.events.source import WindowSettings
from model_code.settings import require, settings


@settings
class PredictionSource:
    """A service's prediction log.

    Attributes:
        path: folder of Parquet files of `model_code.monitoring.prediction_log.SCHEMA`.
        labels: folder or file of labels; ``None`` while there are none.
        reference: an earlier time of the same log to compare with; ``None`` compares with the version's own
            test part. What a service is asked for differs from a test part by design, so an earlier time
            says more as soon as there is one.
        model_version: what the service calls the model; ``None`` is the bundle's own identity, which a
            service takes unless it is told another.
    """

    path: str
    labels: str | None = None
    reference: WindowSettings | None = None
    model_version: str | None = None

    def __post_init__(self) -> None:
        require(bool(self.path), "predictions.path", self.path, "a folder")
        if self.reference is not None:
            whole = None not in self.reference.milliseconds()
            require(whole, "predictions.reference", self.reference, "a start and an end")
