"""The tuning report: what the searches chose, what it gained on validation, and all that was tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_code.reports import tuning_figures as figures
from model_code.reports.comparison_figures import Drawing
from model_code.reports.page import count, moment, render
from model_code.reports.tuning_figures import shown
from model_code.tuning.result import SearchResult, Trial


@dataclass(frozen=True)
class TuningOrigin:
    """Where the results come from."""

    dataset: str
    run: str
    validation_timestamp: int  # ms since the epoch; validation starts
    split_timestamp: int  # ms; validation ends, and the test part, which is not read, starts


@dataclass(frozen=True)
class TuningReport:
    """What the report shows."""

    origin: TuningOrigin
    results: Sequence[SearchResult]  # one a model
    budget: Mapping[str, object]  # the settings that all models share, by name
    tuned: str  # the chosen settings as YAML
    command: str  # which keeps them


@dataclass(frozen=True)
class Change:
    """A setting before and after."""

    name: str
    start: str
    best: str

    @property
    def changed(self) -> bool:
        """Whether the search moved it."""
        return self.start != self.best


@dataclass(frozen=True)
class Section:
    """What the report shows of one model."""

    result: SearchResult
    names: list[str]  # of the settings that varied, without their prefix
    changes: list[Change]
    rows: list[tuple[Trial, list[str]]]  # from the best trial down, with its settings
    slices: Drawing


def render_tuning(report: TuningReport, out: Path) -> None:
    """Write the report to ``out`` as one HTML file that opens offline."""
    context = {
        "report": report,
        "sections": [_section(result) for result in report.results],
        "facts": _facts(report),
        "gains": {result.label: _gain(result) for result in report.results},
        "counts": {result.label: _counts(result) for result in report.results},
        "history": figures.history(report.results),
    }
    render("tuning.html", context, out)


def _section(result: SearchResult) -> Section:
    best, names = result.best, list(result.start)
    ranked = sorted(result.trials, key=lambda trial: (-(trial.auc or 0.0), trial.number))
    return Section(
        result=result,
        names=[_bare(name) for name in names],
        changes=[
            Change(_bare(name), shown(result.start[name]), shown(best.settings[name])) for name in names
        ],
        rows=[(trial, [shown(trial.settings[name]) for name in names]) for trial in ranked],
        slices=figures.slices(result),
    )


def _bare(name: str) -> str:
    """A dotted name without "model.": that the model's own settings are meant is clear."""
    return name.removeprefix("model.")


def _facts(report: TuningReport) -> list[tuple[str, str]]:
    origin, budget = report.origin, report.budget
    return [
        ("Data set", origin.dataset),
        ("Run", origin.run),
        ("Validation starts", moment(origin.validation_timestamp)),
        ("Validation ends", moment(origin.split_timestamp)),
        *((name.capitalize(), shown(value)) for name, value in budget.items()),
    ]


def _gain(result: SearchResult) -> float | None:
    first, best = result.first.auc, result.best.auc
    return None if first is None or best is None else best - first


def _counts(result: SearchResult) -> str:
    outcomes = [trial.outcome for trial in result.trials]
    words = [f"{count(outcomes.count(kind))} {kind}" for kind in ("finished", "pruned", "failed")]
    return ", ".join(word for word in words if not word.startswith("0 "))
