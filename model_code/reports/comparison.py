"""The comparison report: which model is better on these samples, how sure that is, and where it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_code.evaluation.comparison import Comparison
from model_code.evaluation.evaluate import Evaluation
from model_code.evaluation.gates import Verdict
from model_code.evaluation.significance import Difference
from model_code.reports import comparison_figures as figures
from model_code.reports.comparison_figures import Drawing, Evaluations, History
from model_code.reports.log_change import LogChange
from model_code.reports.page import count, decimal, moment, percent, render


@dataclass(frozen=True)
class Origin:
    """Where the results come from."""

    dataset: str
    run: str
    data_version: str
    validation_timestamp: int  # ms since the epoch; targets before it are the fit part
    split_timestamp: int  # ms; targets from it on are the test part


@dataclass(frozen=True)
class ComparisonReport:
    """What the report shows; mappings are shown in their order."""

    origin: Origin
    verdict: Verdict
    evaluations: Mapping[str, Evaluation]  # by model name, the main one among them
    comparison: Comparison
    histories: Mapping[str, History]  # training records by name of the models that were trained
    sanity_aucs: Mapping[str, float | None]  # of scorers that should find nothing, on the test samples
    counts: Mapping[str, int]  # by stage of the preparation
    settings: Mapping[str, object]  # value by dotted name
    log_change: LogChange  # the log beside that of the version before
    from_elsewhere: Sequence[str] = ()  # names of the models of which the scores alone are known


@dataclass(frozen=True)
class Outcome:
    """What a paired difference says about the main model."""

    kind: str  # class of its colour
    word: str


def render_comparison(report: ComparisonReport, out: Path) -> None:
    """Write the report to ``out`` as one HTML file that opens offline."""
    evaluations = _in_order(report.evaluations, report.comparison.main)
    main = evaluations[report.comparison.main]
    context = {
        "report": report,
        "main": report.comparison.main,
        "confidence": main.settings.confidence,
        "replicates": main.settings.bootstrap_replicates,
        "users_left_out": main.metrics.gauc_users_left_out,
        "evaluations": evaluations,
        "outcomes": _outcomes(report.comparison),
        "headline": _headline(report.verdict),
        "failed": [check.name for check in report.verdict.checks if not check.passed],
        "facts": _facts(report.origin, main),
        "overview": figures.intervals(evaluations, report.comparison),
        "drawings": _drawings(evaluations, report.histories),
        "slices": _slices(evaluations),
        "slice_drawing": figures.slice_aucs(evaluations),
    }
    render("comparison.html", context, out)


def _in_order(evaluations: Evaluations, main: str) -> dict[str, Evaluation]:
    """The main model, then the others from the highest AUC down."""
    others = sorted(set(evaluations) - {main}, key=lambda name: (-evaluations[name].metrics.auc, name))
    return {name: evaluations[name] for name in (main, *others)}


def _headline(verdict: Verdict) -> str:
    failures = sum(not check.passed for check in verdict.checks)
    if verdict.passed:
        return f"Passed: all {len(verdict.checks)} checks hold"
    return f"Not passed: {failures} of {len(verdict.checks)} checks failed"


def _facts(origin: Origin, main: Evaluation) -> list[tuple[str, str]]:
    metrics = main.metrics
    return [
        ("Data set", origin.dataset),
        ("Run", origin.run),
        ("Data version", origin.data_version),
        ("Validation starts", moment(origin.validation_timestamp)),
        ("Test starts", moment(origin.split_timestamp)),
        ("Test samples", count(metrics.samples)),
        ("Test users", count(metrics.users)),
        ("Clicked", f"{count(metrics.positives)} ({percent(metrics.base_rate)})"),
    ]


def _outcomes(comparison: Comparison) -> dict[str, dict[str, Outcome]]:
    """What each difference says, by other model and metric."""
    return {
        name: {
            "auc": _outcome(differences.auc, higher_is_better=True),
            "log_loss": _outcome(differences.log_loss, higher_is_better=False),
        }
        for name, differences in comparison.differences.items()
    }


def _outcome(difference: Difference, higher_is_better: bool) -> Outcome:
    if difference.low <= 0 <= difference.high:
        return Outcome("quiet", "within noise")
    better = (difference.value > 0) == higher_is_better
    return Outcome("good", "better") if better else Outcome("bad", "worse")


def _drawings(evaluations: Evaluations, histories: Mapping[str, History]) -> list[Drawing]:
    trained = {name: histories[name] for name in evaluations if name in histories}
    return [
        figures.roc(evaluations),
        figures.calibration(evaluations),
        *figures.learning_curves(trained),
        figures.score_distributions(evaluations),
    ]


def _slices(evaluations: Evaluations) -> list[dict[str, object]]:
    """A row for each slice that has samples: its size and each model's AUC, the best ones marked."""
    rows = []
    for parts in zip(*(evaluation.slices for evaluation in evaluations.values()), strict=True):
        if parts[0].samples == 0:
            continue
        shown = [decimal(part.auc) for part in parts]
        best = decimal(max((part.auc for part in parts if part.auc is not None), default=None))
        rows.append(
            {
                "slice": parts[0],
                "aucs": [
                    (auc, part.auc is not None and auc == best)
                    for auc, part in zip(shown, parts, strict=True)
                ],
            }
        )
    return rows
