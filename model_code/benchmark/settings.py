"""Which models a benchmark trains, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any, Literal, NamedTuple

from model_code.benchmark.cell import Cell
from model_code.benchmark.paper import DEMINET, EXPERIMENTS, FIGURE_3A, POPULARITY
from model_code.models.choice import ModelChoice
from model_code.models.deminet import DemiNet
from model_code.models.table import MODELS, entry
from model_code.settings import require, settings
from model_code.training.settings import TrainingSettings
from model_code.tuning.result import Tuned


@settings
class BenchmarkSettings:
    """The grid of a benchmark: models by seeds.

    Attributes:
        experiments: tables and figures of the paper whose rows are trained; a row of several is trained once.
        interests: K of Figure 3a, of 2, 4, 8 and 16.
        seeds: of training; each row is trained with each.
        settings: of models, by name, where they differ from the defaults. DemiNet's hold for its variants,
            but for the part that makes them variants.
        others: models of your own beside the paper's, each with a label.
        workers: cells trained at a time; they share the CPU's threads. On a CPU of few cores as many as there
            are cores is quickest; on a GPU, one.
    """

    experiments: tuple[Literal["table_2", "table_3", "figure_3a", "figure_3b"], ...] = (
        "table_2",
        "table_3",
        "figure_3a",
        "figure_3b",
    )
    interests: tuple[int, ...] = (2, 4, 8, 16)
    seeds: tuple[int, ...] = (1, 2, 3)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    others: tuple[ModelChoice, ...] = ()
    workers: int = 1

    def __post_init__(self) -> None:
        for name in ("experiments", "seeds"):
            values = getattr(self, name)
            distinct = len(values) > 0 and len(set(values)) == len(values)
            require(distinct, f"benchmark.{name}", values, "one or more that differ")
        known_k = set(self.interests) <= {2, 4, 8, 16}
        require(known_k, "benchmark.interests", self.interests, "some of 2, 4, 8 and 16")
        require(self.workers > 0, "benchmark.workers", self.workers, "a positive number")
        for name in self.settings:
            known = not entry(name).fixed
            require(known, "benchmark.settings", name, "a model that is no variant; set DemiNet's instead")


class Planned(NamedTuple):
    """A row of the tables: what is trained with every seed."""

    choice: ModelChoice
    training: TrainingSettings  # but for the seed
    tuned: bool  # whether a search has chosen settings of it; of DemiNet, for its variants


def plan(
    benchmark: BenchmarkSettings, training: TrainingSettings, tuned: Mapping[str, Tuned]
) -> list[Planned]:
    """The rows to train.

    Args:
        benchmark: what was asked for.
        training: what all share.
        tuned: settings that a search has chosen, by name of the model; they go before those of ``benchmark``.

    Raises:
        SettingsError: for a setting that a model does not have, or two rows of one label.
    """
    bases = {_base(name) for name in MODELS}
    unused = sorted(set(tuned) - bases)
    require(not unused, "tuned", unused, f"names of models that are no variants: {', '.join(sorted(bases))}")
    labels = [POPULARITY]
    for experiment in EXPERIMENTS:
        if experiment.key in benchmark.experiments and experiment != FIGURE_3A:
            labels += [label for label in experiment.labels if label not in labels]
    if DEMINET not in labels:
        labels.append(DEMINET)
    found = {label: _row(label, {}, benchmark, training, tuned) for label in labels}
    if FIGURE_3A.key in benchmark.experiments:
        for k in benchmark.interests:
            if k != found[DEMINET].choice.settings["interests"]:
                label = f"{DEMINET}_k{k}"
                found[label] = _row(label, {"interests": k}, benchmark, training, tuned)
    for choice in benchmark.others:
        require(choice.label not in found, "benchmark.others", choice.label, "a label of its own")
        found[choice.label] = Planned(choice, training, False)
    return list(found.values())


def _base(name: str) -> str:
    """The model that a variant is one of; any other is itself."""
    return DEMINET if entry(name).model is DemiNet else name


def cells(rows: list[Planned], seeds: tuple[int, ...]) -> list[Cell]:
    """All cells; every row once before any a second time, so that a grid that is stopped has compared all."""
    return [
        Cell(choice=row.choice, training=replace(row.training, seed=seed)) for seed in seeds for row in rows
    ]


def _row(
    label: str,
    own: Mapping[str, Any],
    benchmark: BenchmarkSettings,
    training: TrainingSettings,
    tuned: Mapping[str, Tuned],
) -> Planned:
    name = DEMINET if own else label
    base = _base(name)
    chosen = tuned.get(base, Tuned())
    shared = {**benchmark.settings.get(base, {}), **chosen.settings}
    shared = {key: value for key, value in shared.items() if key not in entry(name).fixed}
    choice = ModelChoice(name=name, settings={**shared, **own}, label=label)
    return Planned(choice, replace(training, **chosen.training), base in tuned)
