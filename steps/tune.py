"""Sequences -> the trials of a search for one model, measured on validation."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

from zenml import ArtifactConfig, step
from zenml.logger import get_logger

from model_code.models.table import entry
from model_code.sequences.data import SequenceFolder
from model_code.training.settings import TrainingSettings
from model_code.tuning.objective import TrainingObjective
from model_code.tuning.result import SearchFolder, SearchResult, Trial, best_of
from model_code.tuning.search import search as run_search
from model_code.tuning.settings import SearchSettings, TuningSettings
from model_code.tuning.space import MODEL, Space
from steps.artifacts import FolderMaterializer, folder_hash, output_folder
from steps.caching import ROOT, cache_policy, code_version
from steps.measure import measured
from steps.search_progress import SearchBar

logger = get_logger(__name__)

STUDIES = ROOT / "checkpoints" / "tuning"

version = partial(code_version, __name__)


@step(
    cache_policy=cache_policy(__name__),
    output_materializers=FolderMaterializer,
    substitutions={"model": "model"},
)
def tune(
    sequences: SequenceFolder, search: SearchSettings, training: TrainingSettings, tuning: TuningSettings
) -> Annotated[SearchFolder, ArtifactConfig(name="search_{model}")]:
    """Search one model's settings, going on from where an earlier run was stopped.

    Args:
        sequences: the log; only its fit and validation parts are read.
        search: the model and its space.
        training: the log's training settings, from which the search starts.
        tuning: the budget.
    """
    choice, budget = search.model, tuning.budget(training)
    space = Space.read(choice, budget, search.space)
    run = _run_id(sequences.path, search, budget, tuning)
    study = STUDIES / f"{choice.label}-{run[:16]}"
    trials: list[Trial] = []
    with measured() as notes, SearchBar(choice.label, tuning.trials) as bar:

        def done(trial: Trial) -> None:
            trials.append(trial)
            bar.done(trial.auc)
            logger.info("%s", _in_words(choice.label, trials, tuning.trials))

        objective = TrainingObjective(choice, budget, sequences.path, study, run, bar)
        found = run_search(space, tuning, study, objective, done)
        result = SearchResult(
            label=choice.label,
            model=choice.name,
            fixed=_fixed(search),
            start=dict(space.start),
            trials=found,
        )
        folder = SearchFolder(output_folder())
        result.write(folder.file)
        notes.update(model=choice.label, study=str(study), trials=len(found), best=asdict(result.tuned))
        notes.update(auc=result.best.auc, auc_at_start=result.first.auc)
    return folder


def _run_id(data: Path, search: SearchSettings, training: TrainingSettings, tuning: TuningSettings) -> str:
    """Fingerprint of everything that a trial depends on; how many there will be is not of it."""
    digest = hashlib.sha256(folder_hash(data).encode())
    draws = asdict(tuning)
    del draws["trials"]
    settings = [asdict(search), training.of_weights(), draws]
    digest.update(
        json.dumps(settings).encode()
    )  # in the order written: the sampler draws in that of the space
    digest.update(version().encode())
    return digest.hexdigest()


def _fixed(search: SearchSettings) -> dict[str, object]:
    """The model's settings that are not its defaults and do not vary."""
    defaults = asdict(entry(search.model.name).settings())
    return {
        name: value
        for name, value in search.model.settings.items()
        if value != defaults[name] and MODEL + name not in search.space
    }


def _in_words(label: str, trials: list[Trial], most: int) -> str:
    trial = trials[-1]
    came_to = f"{trial.outcome}: {trial.reason}"
    if trial.auc is not None:
        leader = best_of(trials)
        came_to = (
            f"validation AUC {trial.auc:.4f} (best {leader.auc:.4f}, trial {leader.number + 1}), "
            f"{len(trial.aucs)} passes, {trial.seconds:.0f} s"
        )
    pairs = (f"{name.partition('.')[2]} {_short(value)}" for name, value in trial.settings.items())
    return f"{label}: trial {trial.number + 1} of {most}, {came_to}; {', '.join(pairs)}"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
