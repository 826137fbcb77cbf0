"""The search for one model: trials drawn by Optuna, kept on disk, the same however often it is stopped."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from model_code.settings import parse
from model_code.tuning.result import Trial
from model_code.tuning.settings import TuningSettings
from model_code.tuning.space import Space

STUDY = "study.sqlite"
RECORD = "record"  # attribute of a trial in the study
SPENT = (TrialState.COMPLETE, TrialState.PRUNED)


class SearchError(Exception):
    """No trial of a search finished; the message says why the first did not."""


class TrialFailedError(Exception):
    """These settings cannot be trained with; the message says why. The trial counts, and is not the best."""


class TrialPrunedError(Exception):
    """The trial is not worth going on with."""


class Attempt(NamedTuple):
    """What a trial is to measure."""

    number: int  # from 0
    seed: int  # of its training
    settings: dict[str, Any]  # by dotted name


class Measured(NamedTuple):
    """What a trial found on validation, after each pass."""

    aucs: tuple[float, ...]
    log_losses: tuple[float, ...]
    seconds: float


Told = Callable[[int, float], None]  # passes done, best AUC so far; raises TrialPrunedError
Measure = Callable[[Attempt, Told], Measured]


def search(
    space: Space, settings: TuningSettings, folder: Path, measure: Measure, done: Callable[[Trial], None]
) -> tuple[Trial, ...]:
    """Spend the budget; go on from what ``folder`` holds.

    The first trial has the settings that the space starts from, so that the best is not worse than they are.
    A trial draws its settings from what the finished ones before it found and from a seed of its own number:
    a search that was stopped, in a trial or between two, goes on to the same trials as if it had not been.

    Args:
        space: what varies.
        settings: the budget and the seeds.
        folder: of the study; whoever calls makes it another one for any other search.
        measure: trains with some settings, and says after each pass how it goes.
        done: called after each trial, and at once for those that an earlier run finished.

    Raises:
        SearchError: when no trial finished.
    """
    trials: list[Trial] = []
    with _study(folder, _pruner(settings)) as study:
        for killed in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(killed.number, state=TrialState.FAIL)
        for spent in study.get_trials(deepcopy=False, states=SPENT)[: settings.trials]:
            trials.append(_read(spent))
            done(trials[-1])
        while len(trials) < settings.trials:
            trials.append(_next(study, space, settings, len(trials), measure))
            done(trials[-1])
    if not any(trial.aucs for trial in trials):
        raise SearchError(f"none of {len(trials)} trials finished; the first: {trials[0].reason}")
    return tuple(trials)


def _next(
    study: optuna.Study, space: Space, settings: TuningSettings, number: int, measure: Measure
) -> Trial:
    # A sampler of its own for each trial: what it draws must not depend on what this process drew before.
    seed = (settings.seed * 1_000_003 + number) % 2**32
    study.sampler = TPESampler(seed=seed, n_startup_trials=settings.startup_trials, multivariate=False)
    if number == 0 and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.enqueue_trial(space.encode(space.start))
    asked = study.ask(space.distributions)
    attempt = Attempt(number, settings.trial_seed(number), space.decode(asked.params))
    trial = _try(attempt, _Passes(asked), measure)
    asked.set_user_attr(RECORD, asdict(trial))
    if trial.auc is None:
        study.tell(asked, state=TrialState.PRUNED)  # which the sampler ranks below all that finished
    else:
        study.tell(asked, trial.auc)
    return trial


def _try(attempt: Attempt, passes: _Passes, measure: Measure) -> Trial:
    unfinished = partial(Trial, attempt.number, attempt.seed, attempt.settings)
    try:
        measured = measure(attempt, passes.tell)
    except TrialPrunedError as error:
        return unfinished("pruned", reason=str(error))
    except TrialFailedError as error:
        return unfinished("failed", reason=str(error))
    best = -math.inf
    for number, auc in enumerate(measured.aucs, 1):
        best = max(best, auc)
        passes.note(number, best)
    return Trial(attempt.number, attempt.seed, attempt.settings, "finished", *measured)


class _Passes:
    """The passes of a running trial, as the pruner knows them."""

    def __init__(self, trial: optuna.Trial) -> None:
        self.trial = trial
        self.noted: set[int] = set()

    def note(self, passes: int, best_auc: float) -> None:
        """Keep the best AUC of so many passes, once."""
        if passes not in self.noted:
            self.noted.add(passes)
            self.trial.report(best_auc, passes)

    def tell(self, passes: int, best_auc: float) -> None:
        """Keep it, and raise `TrialPrunedError` if that is too little."""
        if passes in self.noted:
            return
        self.note(passes, best_auc)
        if self.trial.should_prune():
            raise TrialPrunedError(f"after pass {passes}, AUC {best_auc:.4f} was below the median")


def _pruner(settings: TuningSettings) -> BasePruner:
    return MedianPruner(n_startup_trials=settings.startup_trials) if settings.pruning else NopPruner()


@contextmanager
def _study(folder: Path, pruner: BasePruner) -> Iterator[optuna.Study]:
    folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # its lines a trial name no settings of ours
    storage = RDBStorage(f"sqlite:///{folder / STUDY}")
    try:
        yield optuna.create_study(
            study_name="search", storage=storage, pruner=pruner, direction="maximize", load_if_exists=True
        )
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _read(spent: FrozenTrial) -> Trial:
    return parse(Trial, spent.user_attrs[RECORD], f"trial {spent.number}")
