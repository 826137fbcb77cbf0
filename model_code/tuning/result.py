"""What a search found: its trials, the best of them, and the settings to take over."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from model_code.files import Folder, read_json, replacing, write_json
from model_code.models.choice import ModelChoice
from model_code.settings import parse, settings
from model_code.training.settings import TrainingSettings
from model_code.tuning.space import MODEL, TRAINING, applied, part


@dataclass(frozen=True)
class Trial:
    """One training with settings of its own."""

    number: int  # from 0, which is the settings that the search starts from
    seed: int  # of its training
    settings: dict[str, Any]  # what the search varies, by dotted name
    outcome: Literal["finished", "pruned", "failed"]
    aucs: tuple[float, ...] = ()  # on validation, after each pass; empty unless finished
    log_losses: tuple[float, ...] = ()  # likewise
    seconds: float = 0.0  # of training
    reason: str = ""  # why it did not finish

    @property
    def auc(self) -> float | None:
        """The best of all passes, which is what the search maximises."""
        return max(self.aucs) if self.aucs else None

    @property
    def best_pass(self) -> int | None:
        """The pass of that AUC, from 1."""
        return self.aucs.index(max(self.aucs)) + 1 if self.aucs else None

    @property
    def log_loss(self) -> float | None:
        """On validation, after that pass."""
        return self.log_losses[self.aucs.index(max(self.aucs))] if self.aucs else None


@dataclass(frozen=True)
class SearchResult:
    """The search for one model."""

    label: str
    model: str  # name in the table of models
    fixed: dict[str, Any]  # its settings that differ from the model's defaults and did not vary
    start: dict[str, Any]  # what varied, by dotted name, and where it started
    trials: tuple[Trial, ...]  # the first has the settings of ``start``

    @property
    def first(self) -> Trial:
        """The trial with the settings that the search started from."""
        return self.trials[0]

    @property
    def best(self) -> Trial:
        """The finished trial of the highest validation AUC; of several, the earliest."""
        return best_of(self.trials)

    @property
    def tuned(self) -> Tuned:
        """The settings to take over."""
        chosen = self.best.settings
        return Tuned(settings={**self.fixed, **part(chosen, MODEL)}, training=part(chosen, TRAINING))

    def write(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> SearchResult:
        """Read what `write` wrote."""
        return parse(cls, read_json(path), path.name)


class SearchFolder(Folder):
    """A handle to a finished search."""

    @property
    def file(self) -> Path:
        """The result, as JSON."""
        return self.path / "search.json"

    @property
    def result(self) -> SearchResult:
        """All trials and the best."""
        return SearchResult.read(self.file)


@settings
class Tuned:
    """Settings of a model that a search has chosen.

    Attributes:
        settings: of the model, where they differ from its defaults or were searched.
        training: training settings that were searched.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def applied(
        self, choice: ModelChoice, training: TrainingSettings
    ) -> tuple[ModelChoice, TrainingSettings]:
        """A model and its training with these settings in place of their own.

        Raises:
            SettingsError: for a setting that the model or its training does not have.
        """
        values = {MODEL + name: value for name, value in self.settings.items()}
        values |= {TRAINING + name: value for name, value in self.training.items()}
        return applied(choice, training, values)


@settings
class _TunedFile:
    """For parsing: `Tuned` by label."""

    models: Mapping[str, Tuned]


def best_of(trials: Sequence[Trial]) -> Trial:
    """The finished trial of the highest validation AUC; of several, the earliest."""
    return max((trial for trial in trials if trial.aucs), key=lambda trial: max(trial.aucs))


def tuned_yaml(results: Sequence[SearchResult], log: str) -> str:
    """The chosen settings as a YAML file to commit: by label, ``settings`` and ``training``.

    Args:
        results: one a model.
        log: what to call the log in the file's first line.
    """
    lines = [f"# Chosen on the validation part of {log}, {len(results[0].trials)} trials a model."]
    for result in results:
        start = "none" if result.first.auc is None else f"{result.first.auc:.4f}"
        lines.append(f"# {result.label}: validation AUC {result.best.auc:.4f}; where it started, {start}")
        chosen = {result.label: _plain(asdict(result.tuned))}
        lines.append(yaml.safe_dump(chosen, sort_keys=False).rstrip())
    return "\n".join(lines) + "\n"


def read_tuned(path: Path) -> dict[str, Tuned]:
    """Read what `tuned_yaml` wrote.

    Raises:
        SettingsError: naming each key that does not belong there.
    """
    values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return dict(parse(_TunedFile, {"models": values}, str(path)).models)


def write_csv(results: Sequence[SearchResult], path: Path) -> None:
    """All trials as a table, a row each; a setting that a model lacks is left empty."""
    varied = list(dict.fromkeys(name for result in results for name in result.start))
    measured = ["auc", "log_loss", "best_pass"]
    header = ["model", "trial", "outcome", *measured, "passes", "seconds", "seed", "reason", *varied]
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, header, restval="")
        table.writeheader()
        for result in results:
            for trial in result.trials:
                row = {"model": result.label, "trial": trial.number, "passes": len(trial.aucs)}
                row |= {name: getattr(trial, name) for name in ("outcome", "seconds", "seed", "reason")}
                row |= {name: getattr(trial, name) for name in measured}
                table.writerow(row | trial.settings)


def _plain(value: Any) -> Any:
    """Tuples as lists, which is all that YAML knows."""
    if isinstance(value, Mapping):
        return {key: _plain(part_) for key, part_ in value.items()}
    return [_plain(part_) for part_ in value] if isinstance(value, list | tuple) else value
