"""The monitoring report: is the model still fit for what comes in, and what has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_code.evaluation.significance import Estimate
from model_code.monitoring.compare import Comparison
from model_code.monitoring.history import WindowRecord
from model_code.monitoring.settings import MonitoringSettings
from model_code.monitoring.verdict import Finding, MonitoringVerdict
from model_code.reports import monitoring_figures as figures
from model_code.reports.page import count, decimal, moment, render
from model_code.reports.text import aligned

HEADLINES = {
    "ok": "ok: nothing here asks for action",
    "warn": "warn: look at the reasons",
    "retrain": "retrain: the model no longer fits what comes in",
}
MARKS = {"ok": "pass", "warn": "warn", "retrain": "fail"}  # colours of the page


@dataclass(frozen=True)
class MonitoringReport:
    """What the report shows.

    Attributes:
        dataset: what the window's log is called.
        run: the run that made it.
        comparison: of window and reference.
        reference_start: ms since 1970 UTC.
        reference_end: ms, exclusive.
        history: all windows from the same kind of log, in order of time, this one among them.
        settings: thresholds and noise.
    """

    dataset: str
    run: str
    comparison: Comparison
    reference_start: int
    reference_end: int
    history: Sequence[WindowRecord]
    settings: MonitoringSettings


@dataclass(frozen=True)
class QualityRow:
    """A metric in the reference and in the window."""

    title: str
    reference: str
    window: str
    reference_interval: str
    window_interval: str
    change: str
    change_interval: str


def render_monitoring(report: MonitoringReport, out: Path) -> None:
    """Write the report to ``out`` as one HTML file that opens offline."""
    verdict = report.comparison.verdict
    context = {
        "verdict": verdict,
        "headline": HEADLINES[verdict.status],
        "marks": MARKS,
        "dataset": report.dataset,
        "facts": _facts(report),
        "quality": _quality(report.comparison),
        "drawings": [figures.distribution(drift) for drift in report.comparison.drifts],
        "history": figures.history(report.history, report.settings.thresholds),
        "records": list(reversed(report.history)),
        "noise": f"{report.settings.noise_quantile:.1%}",
    }
    render("monitoring.html", context, out)


def terminal_verdict(report: MonitoringReport, published: Mapping[str, str]) -> str:
    """A screen of text: the verdict, its reasons, all values, where the reports are."""
    verdict = report.comparison.verdict
    table = [["", "value", "noise up to", "warn", "retrain", "status"]]
    table += [_cells(finding) for finding in verdict.findings if finding.kind != "input"]
    lines = [
        f"{verdict.model} version {verdict.version}: {HEADLINES[verdict.status]}",
        "",
        f"  window     {moment(verdict.window_start)} to {moment(verdict.window_end)}:"
        f" {count(verdict.rows)} rows of {count(verdict.users)} users, {count(verdict.clicks)} clicked",
        f"  reference  {moment(report.reference_start)} to {moment(report.reference_end)}",
        *(
            f"  {finding.status:<9}  {finding.title}: {finding.reason}"
            for finding in verdict.findings
            if finding.status != "ok"
        ),
        "",
        *aligned(table),
        "",
        *(f"  not compared: {reason}" for reason in verdict.not_compared),
        *(f"  {title:<10} {path}" for title, path in published.items()),
    ]
    return "\n".join(lines)


def _cells(finding: Finding) -> list[str]:
    retrain = "never" if finding.retrain is None else f"{finding.retrain:g}"
    noise = decimal(finding.noise_limit)
    return [
        finding.title,
        decimal(finding.value),
        noise,
        f"{finding.warn:g}",
        retrain,
        finding.status,
    ]


def _facts(report: MonitoringReport) -> list[tuple[str, str]]:
    verdict: MonitoringVerdict = report.comparison.verdict
    return [
        ("Model", f"{verdict.model} version {verdict.version}"),
        ("Window starts", moment(verdict.window_start)),
        ("Window ends", moment(verdict.window_end)),
        ("Reference starts", moment(report.reference_start)),
        ("Reference ends", moment(report.reference_end)),
        ("Rows", count(verdict.rows)),
        ("Clicked", count(verdict.clicks)),
        ("Users", count(verdict.users)),
        ("Run", report.run),
    ]


def _quality(comparison: Comparison) -> list[QualityRow]:
    if comparison.quality is None:
        return []
    old, new = comparison.quality.reference, comparison.quality.window
    pairs: dict[str, tuple[Estimate | float, Estimate | float]] = {
        "auc": (old.auc, new.auc),
        "log_loss": (old.log_loss, new.log_loss),
        "bias": (old.bias, new.bias),
        "calibration": (old.calibration_error, new.calibration_error),
    }
    rows = []
    for change in comparison.quality.changes:
        before, after = pairs[change.name]
        gap = change.difference
        rows.append(
            QualityRow(
                title=change.title,
                reference=decimal(_value(before)),
                window=decimal(_value(after)),
                reference_interval=_interval(before),
                window_interval=_interval(after),
                change=f"{_value(after) - _value(before):+.4f}".replace("-", "−"),
                change_interval="" if gap is None else f"{decimal(gap.low)} to {decimal(gap.high)}",
            )
        )
    return rows


def _value(estimate: Estimate | float) -> float:
    return estimate.value if isinstance(estimate, Estimate) else estimate


def _interval(estimate: Estimate | float) -> str:
    if not isinstance(estimate, Estimate):
        return ""
    return f"{decimal(estimate.low)} to {decimal(estimate.high)}"
