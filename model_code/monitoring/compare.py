"""A window against the reference: all changes, and the verdict on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model_code.monitoring.behaviors import Behaviors
from model_code.monitoring.drift import BEHAVIOR, FEATURES, Drift, behavior_drift, drifts
from model_code.monitoring.observations import Observations
from model_code.monitoring.observed import InputFacts
from model_code.monitoring.quality import QualityComparison, compare_quality
from model_code.monitoring.reference import Reference
from model_code.monitoring.settings import Limits, MonitoringSettings
from model_code.monitoring.verdict import (
    STATUSES,
    Finding,
    MonitoringVerdict,
    of_drift,
    of_input,
    of_quality,
    worst,
)

ONE = Limits(warn=1)  # a single case is worth a warning, and none is a reason to train on such input


@dataclass(frozen=True)
class Comparison:
    """Everything found out about a window."""

    verdict: MonitoringVerdict
    drifts: tuple[Drift, ...]
    quality: QualityComparison | None  # None until labels of both classes are there


def compare(
    reference: Reference,
    window: Observations,
    behaviors: Behaviors | None,
    facts: InputFacts,
    settings: MonitoringSettings,
    model: str,
    version: str,
) -> Comparison:
    """Compare a window with the reference and judge it.

    Args:
        reference: of the model version.
        window: the observations; none at all is a finding, too.
        behaviors: the window's behaviour mix.
        facts: of its input.
        settings: thresholds and noise.
        model: the model's name.
        version: the model's version.
    """
    limits = settings.thresholds
    findings = input_findings(window, facts, settings)
    skipped = list(facts.remarks)
    found: list[Drift] = []
    quality = None
    if len(window) and len(reference.observations):
        found = drifts(reference.observations, window, settings.noise)
        mix = behavior_drift(reference.behaviors, behaviors, settings.noise)
        found += [mix] if mix else []
        findings += [of_drift(drift, getattr(limits, drift.name)) for drift in found]
        quality = compare_quality(reference.observations, window, settings.noise)
        findings += quality_findings(quality, settings) if quality else []
    skipped += _not_compared(found, quality, window)
    findings.sort(key=_urgency)
    verdict = MonitoringVerdict(
        status=worst(findings),
        model=model,
        version=version,
        source=window.kind,
        window_start=window.start,
        window_end=window.end,
        rows=len(window),
        clicks=int(window.clicked.sum()),
        users=len(np.unique(window.column("user"))),
        findings=tuple(findings),
        not_compared=tuple(skipped),
    )
    return Comparison(verdict, tuple(found), quality)


def _urgency(finding: Finding) -> tuple[int, bool, float]:
    """The worst status first; of one status input, then what is furthest past its limit."""
    return (
        -STATUSES.index(finding.status),
        finding.kind != "input",
        -finding.value / max(finding.warn, 1e-9),
    )


def input_findings(window: Observations, facts: InputFacts, settings: MonitoringSettings) -> list[Finding]:
    """What is wrong with the input itself; retraining on it would not help, so these only warn."""
    rows = int(window.clicked.sum()) if window.kind == "log" else len(window)
    least = settings.smallest_rows
    what = "clicked rows" if window.kind == "log" else "rows"
    failures = facts.critical_failures
    findings = [
        of_input(
            "rows",
            "Rows of the window",
            float(rows < least),
            ONE,
            f"{rows:,} {what}; at least {least:,} are needed to say anything",
        ),
        of_input(
            "validation",
            "Validation of the log",
            float(len(failures)),
            ONE,
            f"failed: {'; '.join(failures)}" if failures else "no critical expectation failed",
        ),
    ]
    if window.kind == "predictions":
        del findings[1]
    share = facts.quarantine_share
    if share is not None:
        limits = settings.thresholds.quarantine
        reason = f"{share:.2%} of the raw rows; up to {limits.warn:.2%} is allowed"
        findings.append(of_input("quarantine", "Rows in quarantine", share, limits, reason))
    return findings


def quality_findings(quality: QualityComparison, settings: MonitoringSettings) -> list[Finding]:
    """The findings of all metrics."""
    old, new = quality.reference, quality.window
    values = {
        "auc": (old.auc.value, new.auc.value),
        "log_loss": (old.log_loss.value, new.log_loss.value),
        "bias": (old.bias.value, new.bias.value),
        "calibration": (old.calibration_error, new.calibration_error),
    }
    return [
        of_quality(change, *values[change.name], getattr(settings.thresholds, change.name))
        for change in quality.changes
    ]


def _not_compared(
    found: Sequence[Drift], quality: QualityComparison | None, window: Observations
) -> list[str]:
    names = {drift.name for drift in found}
    titles = {feature.name: feature.title for feature in FEATURES} | {BEHAVIOR: "Behaviour mix"}
    reasons = {"hour": "either period is shorter than a day"}
    skipped = [
        f"{title}: {reasons.get(name, 'the reference or the window does not tell it')}"
        for name, title in titles.items()
        if name not in names
    ]
    if quality is None:
        labelled = int((~window.missing("label")).sum())
        skipped.append(
            f"Quality: {labelled:,} labels have arrived; clicks and non-clicks of several users are needed"
        )
    return skipped
