"""The registry page: versions, what they were trained on, how good they are, and who changed the champion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure

from model_code.lineage import data_version
from model_code.registry.record import ChampionRecord, Change
from model_code.reports.figures import INK, SERIES, style, svg
from model_code.reports.page import moment, render


@dataclass(frozen=True)
class Version:
    """A row of the page: a version, when it was first promoted, and what it is now."""

    record: ChampionRecord
    first: Change
    stage: str

    @property
    def data(self) -> str:
        """Version of the data that it was trained on."""
        return data_version(self.record.lineage)


def render_registry(changes: Sequence[Change], staging: Sequence[str], out: Path) -> None:
    """Write the page to ``out`` as one HTML file that opens offline.

    Args:
        changes: of the champion's record, the newest first.
        staging: versions that passed their gates and wait for a person, as the orchestrator names them.
        out: the file.
    """
    versions, before = _versions(changes), [*changes[1:], None]
    context = {
        "champion": changes[0].record if changes else None,
        "versions": versions,
        "staging": staging,
        "changes": [(change, _what(change, older)) for change, older in zip(changes, before, strict=False)],
        "times": {change.when: _time(change.when) for change in changes},
        "drawing": _metrics(list(reversed(versions))) if len(versions) > 1 else "",
    }
    render("registry.html", context, out)


def _versions(changes: Sequence[Change]) -> list[Version]:
    """Each version once, by its first promotion, the newest first."""
    first: dict[int, tuple[ChampionRecord, Change]] = {}
    for change in reversed(changes):
        if change.record is not None:
            first.setdefault(change.record.version, (change.record, change))
    present = changes[0].record.version if changes and changes[0].record else None
    found = [
        Version(record, change, "champion" if version == present else "former")
        for version, (record, change) in first.items()
    ]
    return sorted(found, key=lambda version: -version.record.version)


def _what(change: Change, older: Change | None) -> str:
    """A change in words."""
    before = older.record if older else None
    if change.record is None:
        return f"version {before.version} demoted" if before else "demoted"
    if change.record.action == "rollback":
        return f"rolled back to version {change.record.version}"
    return f"version {change.record.version} promoted"


def _time(iso: str) -> str:
    return moment(int(datetime.fromisoformat(iso).timestamp() * 1000)) if iso else ""


@style()
def _metrics(versions: Sequence[Version]) -> Markup:
    """Test AUC, with its interval, and Log Loss of each version, from the oldest on."""
    figure = Figure(figsize=(11, 2.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for at, version in enumerate(versions):
        metrics = version.record.test_metrics
        interval = metrics["auc_interval"]
        color = SERIES[0] if version.stage == "champion" else INK
        error = [[metrics["auc"] - interval["low"]], [interval["high"] - metrics["auc"]]]
        left.errorbar(at, metrics["auc"], yerr=error, fmt="o", color=color, capsize=3)
        right.plot(at, metrics["log_loss"], "o", color=color)
    for plot, name in ((left, "AUC"), (right, "Log Loss")):
        plot.set_ylabel(name)
        plot.set_xticks(range(len(versions)), [str(version.record.version) for version in versions])
        plot.set_xlabel("version")
        plot.margins(x=0.1)
    return svg(figure, "versions", "Test AUC and Log Loss of each version")
