"""From scored samples to an evaluation: metrics, how sure they are, slices and curves."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from model_code.evaluation.curves import RocCurve, ScoreHistogram, roc_curve, score_histogram
from model_code.evaluation.metrics import CalibrationCurve, Metrics, calibration_curve, measure, user_codes
from model_code.evaluation.scores import read_scores
from model_code.evaluation.significance import Estimate, Replicates, bootstrap, estimate
from model_code.evaluation.slices import Slice, slices
from model_code.files import Folder, read_json, write_json
from model_code.settings import parse, require, settings


@settings
class EvaluationSettings:
    """How models are measured; evaluations are compared only under the same settings."""

    # The standard error of a metric from R replicates is itself off by about 1 / sqrt(2 R): 5% for 200.
    bootstrap_replicates: int = 200
    confidence: float = 0.95
    seed: int = 0
    calibration_bins: int = 15

    def __post_init__(self) -> None:
        require(
            self.bootstrap_replicates >= 50,
            "evaluation.bootstrap_replicates",
            self.bootstrap_replicates,
            "a whole number from 50",
        )
        require(0 < self.confidence < 1, "evaluation.confidence", self.confidence, "a number in (0, 1)")
        require(self.seed >= 0, "evaluation.seed", self.seed, "a whole number from 0")
        require(
            self.calibration_bins >= 2,
            "evaluation.calibration_bins",
            self.calibration_bins,
            "a whole number from 2",
        )


@dataclass(frozen=True)
class Intervals:
    """Confidence intervals by the bootstrap over users."""

    auc: Estimate
    log_loss: Estimate
    gauc: Estimate | None  # None if no user has both classes


@dataclass(frozen=True)
class Evaluation:
    """All that is known of one model on one set of samples."""

    metrics: Metrics
    intervals: Intervals
    slices: tuple[Slice, ...]
    roc: RocCurve
    calibration: CalibrationCurve
    histogram: ScoreHistogram
    replicates: Replicates
    samples_fingerprint: str  # evaluations with the same one can be compared
    settings: EvaluationSettings

    def write(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> Evaluation:
        """Read what `write` wrote; raises `SettingsError` on anything else."""
        return parse(cls, read_json(path), path.name)


def evaluate(scores_path: Path, settings: EvaluationSettings) -> Evaluation:
    """Evaluate the scores in a Parquet file of `model_code.evaluation.scores.SCHEMA`.

    Raises:
        ScoresError: the file is not such a table.
        MetricError: the samples are of one class, or a score is no probability.
    """
    scores = read_scores(scores_path)
    label, score, user = scores.label, scores.score, user_codes(scores.user)
    metrics = measure(label, score, user, settings.calibration_bins)
    replicates = bootstrap(label, score, user, settings.bootstrap_replicates, settings.seed)
    return Evaluation(
        metrics=metrics,
        intervals=_intervals(metrics, replicates, settings.confidence),
        slices=slices(scores),
        roc=roc_curve(label, score),
        calibration=calibration_curve(label, score, settings.calibration_bins),
        histogram=score_histogram(label, scores.logit),
        replicates=replicates,
        samples_fingerprint=scores.fingerprint(),
        settings=settings,
    )


def _intervals(metrics: Metrics, replicates: Replicates, confidence: float) -> Intervals:
    gauc = None
    if metrics.gauc is not None and replicates.gauc is not None:
        gauc = estimate(metrics.gauc, replicates.gauc, confidence)
    return Intervals(
        auc=estimate(metrics.auc, replicates.auc, confidence),
        log_loss=estimate(metrics.log_loss, replicates.log_loss, confidence),
        gauc=gauc,
    )


class EvaluationFolder(Folder):
    """A handle to a model's evaluation, and to the scores that it was made from."""

    @property
    def file(self) -> Path:
        """The evaluation, as JSON."""
        return self.path / "evaluation.json"

    @property
    def evaluation(self) -> Evaluation:
        """Metrics, intervals, slices and curves."""
        return Evaluation.read(self.file)

    @property
    def scores(self) -> Path:
        """The table of scored samples."""
        return self.path / "scores.parquet"
