"""The search itself, on an objective that costs nothing: what it spends, and how it goes on."""

import math
from dataclasses import replace

import pytest

from model_code.models.choice import ModelChoice
from model_code.training.settings import TrainingSettings
from model_code.tuning.search import Measured, SearchError, TrialFailedError, search
from model_code.tuning.settings import TuningSettings
from model_code.tuning.space import Space

SPACE = Space.read(
    ModelChoice(name="deminet"),
    TrainingSettings(),
    {
        "model.beta": {"low": 0.001, "high": 10, "log": True},
        "model.residual": [False, True],
        "model.layers": {"low": 1, "high": 3},
    },
)
SETTINGS = TuningSettings(trials=12, startup_trials=4)


def quality(settings):
    """Highest, 0.9, for residual graphs of a beta of 0.03."""
    return (
        0.9 - 0.05 * abs(math.log10(settings["model.beta"] / 0.03)) - 0.1 * (not settings["model.residual"])
    )


class Objective:
    """Two passes, the second the better; keeps what it was asked."""

    def __init__(self, kill_at=None, fail_at=()):
        self.attempts, self.kill_at, self.fail_at = [], kill_at, fail_at

    def __call__(self, attempt, told):
        self.attempts.append(attempt)
        best = quality(attempt.settings)
        told(1, best - 0.1)
        if attempt.number == self.kill_at:
            raise KeyboardInterrupt
        if attempt.number in self.fail_at:
            raise TrialFailedError("cannot be")
        return Measured((best - 0.1, best), (0.4, 0.3), 1.5)


def spend(folder, settings=SETTINGS, objective=None, space=SPACE, done=lambda trial: None):
    return search(space, settings, folder, objective or Objective(), done)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    return spend(tmp_path_factory.mktemp("unbroken") / "study")


def test_starts_at_the_start_and_spends_the_budget(unbroken):
    assert len(unbroken) == 12
    assert unbroken[0].settings == SPACE.start
    assert [trial.number for trial in unbroken] == list(range(12))
    assert [trial.seed for trial in unbroken] == list(range(1000, 1012))
    assert unbroken[3].auc == pytest.approx(quality(unbroken[3].settings))
    assert (unbroken[3].best_pass, unbroken[3].log_loss, unbroken[3].seconds) == (2, 0.3, 1.5)


def test_finds_more_than_the_start(unbroken):
    assert max(trial.auc for trial in unbroken) > unbroken[0].auc + 0.05
    assert len({trial.settings["model.beta"] for trial in unbroken}) == 12


def test_same_seed_same_trials_other_seed_others(unbroken, tmp_path):
    assert spend(tmp_path / "same") == unbroken
    other = spend(tmp_path / "other", replace(SETTINGS, seed=2))
    assert other[0] == unbroken[0]
    assert all(one.settings != two.settings for one, two in zip(other[1:], unbroken[1:], strict=True))


@pytest.mark.parametrize("kill_at", [0, 3, 9])
def test_killed_search_goes_on_to_the_same_trials(unbroken, tmp_path, kill_at):
    with pytest.raises(KeyboardInterrupt):
        spend(tmp_path, objective=Objective(kill_at=kill_at))
    resumed, told = Objective(), []
    assert spend(tmp_path, objective=resumed, done=told.append) == unbroken
    assert tuple(told) == unbroken, "trials of the earlier run are told of too"
    assert [attempt.number for attempt in resumed.attempts] == list(range(kill_at, 12)), "one was redone"


def test_budget_that_grows_goes_on_and_one_that_shrinks_looks_back(unbroken, tmp_path):
    assert spend(tmp_path, replace(SETTINGS, trials=5)) == unbroken[:5]
    more = Objective()
    assert spend(tmp_path, objective=more) == unbroken
    assert len(more.attempts) == 7
    none = Objective()
    assert spend(tmp_path, replace(SETTINGS, trials=6), none) == unbroken[:6]
    assert none.attempts == []


def test_failed_trial_counts_says_why_and_is_not_the_best(tmp_path):
    trials = spend(tmp_path, replace(SETTINGS, trials=6), Objective(fail_at=(0, 2)))
    assert [trial.outcome for trial in trials] == ["failed", "finished", "failed", *["finished"] * 3]
    assert (trials[2].auc, trials[2].reason) == (None, "cannot be")
    assert spend(tmp_path, replace(SETTINGS, trials=6)) == trials


def test_search_of_which_nothing_finishes_says_why(tmp_path):
    with pytest.raises(SearchError, match="none of 3 trials finished; the first: cannot be"):
        spend(tmp_path, replace(SETTINGS, trials=3), Objective(fail_at=range(3)))


def test_pruning_stops_what_is_below_the_median_after_the_same_pass(tmp_path):
    trials = spend(tmp_path / "a", replace(SETTINGS, pruning=True))
    pruned = [trial for trial in trials if trial.outcome == "pruned"]
    assert pruned
    assert all(trial.number >= SETTINGS.startup_trials and not trial.aucs for trial in pruned)
    assert pruned[0].reason.startswith("after pass 1, AUC 0.")
    kept = sorted(trial.auc for trial in trials if trial.number < pruned[0].number and trial.aucs)
    assert quality(pruned[0].settings) < kept[len(kept) // 2]
    later = next(trial.number for trial in trials[pruned[0].number :] if trial.aucs)
    with pytest.raises(KeyboardInterrupt):
        spend(tmp_path / "b", replace(SETTINGS, pruning=True), Objective(kill_at=later))
    assert spend(tmp_path / "b", replace(SETTINGS, pruning=True)) == trials
