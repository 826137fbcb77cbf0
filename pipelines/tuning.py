"""The tuning pipeline: searches hyper-parameters of models on the validation part of a log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from zenml import pipeline

from model_code.settings import require
from model_code.tuning.settings import SearchSettings, TuningSettings
from model_code.tuning.space import Space
from pipelines.parameters import from_yaml
from pipelines.preparation import prepare, read_log_config
from steps.tune import tune
from steps.tuning_report import tuning_report

Search = Annotated[SearchSettings, from_yaml(SearchSettings, "searches")]
Tuning = Annotated[TuningSettings, from_yaml(TuningSettings, "tuning")]


@pipeline
def tuning_pipeline(
    searches: list[Search], log: str | None = None, tuning: Tuning = TuningSettings()
) -> None:
    """Ingest, validate, split, build sequences; search each model; report.

    Args:
        searches: the models and their spaces.
        log: the training pipeline's configuration of the log, relative to the project; ``None`` is the demo
            log. Its sequences come from the cache where the training pipeline has built them.
        tuning: the budget, the same for each model.
    """
    config = read_log_config(log)
    labels = [search.model.label for search in searches]
    require(len(set(labels)) == len(labels), "searches", labels, "labels that differ")
    budget = tuning.budget(config.training)
    for search in searches:
        Space.read(search.model, budget, search.space)  # so that a mistake is named before anything runs
    prepared = prepare(config)
    found = [
        tune.with_options(substitutions={"model": search.model.label})(
            prepared.data, search, config.training, tuning, id=f"tune_{search.model.label}"
        )
        for search in searches
    ]
    shared = {
        "trials a model": tuning.trials,
        "most passes a trial": budget.epochs,
        "positives a pass": budget.samples_per_epoch or "all",
        "training seeds": f"{tuning.trial_seed(0)} to {tuning.trial_seed(tuning.trials - 1)}",
        "seed of the search": tuning.seed,
        "pruning": tuning.pruning,
    }
    tuning_report(
        found, prepared.split_log, config.name, Path(log).stem if log else "demo", shared, prepared.lineage
    )
