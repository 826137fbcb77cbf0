"""From changes to a verdict: is the model still fit for what comes in, and if not, why."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from model_code.files import read_json, write_json
from model_code.monitoring.drift import Drift
from model_code.monitoring.quality import QualityChange
from model_code.monitoring.settings import Limits
from model_code.settings import parse

Status = Literal["ok", "warn", "retrain"]
STATUSES: tuple[Status, ...] = ("ok", "warn", "retrain")  # the worst last
Kind = Literal["data", "prediction", "quality", "input"]


@dataclass(frozen=True)
class Finding:
    """One change and what it means.

    Attributes:
        name: as in `ThresholdSettings`, or of an input problem.
        title: for people.
        kind: what changed.
        measure: what ``value`` is: "PSI", "difference", ...
        value: how much; above zero is worse where there is a direction.
        noise_limit: what noise alone hardly ever exceeds; None where there is no noise.
        warn: from where on it is worth a warning.
        retrain: from where on a retraining; None is never.
        status: what it means.
        reason: in words.
    """

    name: str
    title: str
    kind: Kind
    measure: str
    value: float
    noise_limit: float | None
    warn: float
    retrain: float | None
    status: Status
    reason: str


@dataclass(frozen=True)
class MonitoringVerdict:
    """What a window says of a model.

    Attributes:
        status: the worst of all findings.
        model: its name.
        version: of it.
        source: where the window's rows are from, "log" or "predictions".
        window_start: ms since 1970 UTC.
        window_end: ms, exclusive.
        rows: of the window.
        clicks: rows known to be clicked.
        users: in the window.
        findings: all, the worst first.
        not_compared: what could not be compared, and why.
    """

    status: Status
    model: str
    version: str
    source: str
    window_start: int
    window_end: int
    rows: int
    clicks: int
    users: int
    findings: tuple[Finding, ...]
    not_compared: tuple[str, ...]

    @property
    def reasons(self) -> list[str]:
        """The findings that are not ok, in words, the worst first."""
        return [f"{item.title}: {item.reason}" for item in self.findings if item.status != "ok"]

    def write(self, path: Path) -> None:
        """Write as JSON, the reasons in words beside."""
        write_json(path, {**asdict(self), "reasons": self.reasons})

    @classmethod
    def read(cls, path: Path) -> MonitoringVerdict:
        """Read what `write` wrote; raises `SettingsError` on anything else."""
        values: dict[str, Any] = read_json(path)
        values.pop("reasons", None)
        return parse(cls, values, path.name)


def worst(findings: list[Finding]) -> Status:
    """The worst status; "ok" of none."""
    return max((finding.status for finding in findings), key=STATUSES.index, default="ok")


def judge(value: float, noise_limit: float | None, limits: Limits) -> Status:
    """What a change means: it counts beyond noise alone, and as much as the limits say."""
    if noise_limit is not None and value <= noise_limit:
        return "ok"
    if limits.retrain is not None and value >= limits.retrain:
        return "retrain"
    return "warn" if value >= limits.warn else "ok"


def of_drift(drift: Drift, limits: Limits) -> Finding:
    """The finding of a drift; a difference counts in either direction."""
    value = abs(drift.value)
    if drift.measure == "PSI":
        said = f"PSI {drift.value:.3f}, most changed: {_most_changed(drift)}"
    else:
        said = f"share {drift.reference[-1]:.1%} in the reference, {drift.window[-1]:.1%} in the window"
    status = judge(value, drift.noise_limit, limits)
    return Finding(
        name=drift.name,
        title=drift.title,
        kind="prediction" if drift.name == "score" else "data",
        measure=drift.measure,
        value=value,
        noise_limit=drift.noise_limit,
        warn=limits.warn,
        retrain=limits.retrain,
        status=status,
        reason=f"{said}; {_against(value, drift.noise_limit, limits)}",
    )


def of_quality(change: QualityChange, before: float, after: float, limits: Limits) -> Finding:
    """The finding of a change of quality; only what is worse counts."""
    said = f"{before:.4f} in the reference, {after:.4f} in the window"
    return Finding(
        name=change.name,
        title=change.title,
        kind="quality",
        measure="change",
        value=change.worse,
        noise_limit=change.noise_limit,
        warn=limits.warn,
        retrain=limits.retrain,
        status=judge(change.worse, change.noise_limit, limits),
        reason=f"{said}; {_against(change.worse, change.noise_limit, limits)}",
    )


def of_input(name: str, title: str, value: float, limits: Limits, reason: str) -> Finding:
    """The finding of a problem of the input: there is no noise in it."""
    return Finding(
        name=name,
        title=title,
        kind="input",
        measure="share" if name == "quarantine" else "count",
        value=value,
        noise_limit=None,
        warn=limits.warn,
        retrain=limits.retrain,
        status=judge(value, None, limits),
        reason=reason,
    )


def _against(value: float, noise_limit: float, limits: Limits) -> str:
    """How a value stands to what it is held against."""
    if value <= noise_limit:
        return f"within noise (up to {noise_limit:.3f})"
    if limits.retrain is not None and value >= limits.retrain:
        return f"beyond noise ({noise_limit:.3f}) and the limit for retraining ({limits.retrain:g})"
    if value >= limits.warn:
        return f"beyond noise ({noise_limit:.3f}) and the limit for a warning ({limits.warn:g})"
    return f"beyond noise ({noise_limit:.3f}), but below the limit for a warning ({limits.warn:g})"


def _most_changed(drift: Drift) -> str:
    gaps = [abs(w - r) for r, w in zip(drift.reference, drift.window, strict=True)]
    place = gaps.index(max(gaps))
    return f"{drift.bins[place]} ({drift.reference[place]:.1%} to {drift.window[place]:.1%})"
