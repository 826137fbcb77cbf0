"""Searches that train: killed and resumed, diverging, and never near the test part."""

import shutil
from dataclasses import replace

import pytest
import small_log

from model_code.models.choice import ModelChoice
from model_code.training import train as training_module
from model_code.training.settings import TrainingSettings
from model_code.tuning.objective import TrainingObjective
from model_code.tuning.search import Attempt, TrialFailedError, search
from model_code.tuning.settings import TuningSettings
from model_code.tuning.space import Space

CHOICE = ModelChoice(name="din", settings={"hidden": [16, 8], "unit_hidden": [8]})
TRAINING = TrainingSettings(batch_size=64, epochs=2, threads=1, device="cpu", checkpoint_seconds=0.0)
SETTINGS = TuningSettings(trials=3, startup_trials=2)


def tune(data_folder, study, report=lambda progress: None, settings=SETTINGS, **space):
    values = space or {"training.learning_rate": [0.001, 0.01], "model.embedding_scale": [0.1, 0.3]}
    objective = TrainingObjective(CHOICE, TRAINING, data_folder, study, "test", report)
    trials = search(Space.read(CHOICE, TRAINING, values), settings, study, objective, lambda trial: None)
    return [replace(trial, seconds=0.0) for trial in trials]


@pytest.fixture(scope="module")
def unbroken(data_folder, tmp_path_factory):
    study = tmp_path_factory.mktemp("unbroken")
    trials = tune(data_folder, study)
    assert not list(study.glob("*.safetensors")), "a checkpoint was left"
    return trials


def test_trials_are_trainings_of_their_own_seeds(data_folder, tmp_path, unbroken):
    assert [len(trial.aucs) for trial in unbroken] == [2, 2, 2]
    first = unbroken[0]
    training = replace(TRAINING, seed=first.seed)
    alone = small_log.run(
        small_log.Job(
            choice=CHOICE,
            training=training,
            data=str(data_folder),
            out=str(tmp_path / "bundle"),
            checkpoint=str(tmp_path / "checkpoint"),
            run="alone",
        ),
        lambda progress: None,
    )
    assert tuple(record["validation_auc"] for record in alone.history) == first.aucs
    assert first.auc == max(first.aucs)


def test_search_killed_within_a_training_goes_on_within_it(data_folder, tmp_path, unbroken):
    def kill(progress):
        if progress.epoch == 1 and (tmp_path / "trial-1.safetensors").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(data_folder, tmp_path, kill)
    epochs = []
    assert tune(data_folder, tmp_path, lambda progress: epochs.append(progress.epoch)) == unbroken
    assert epochs[0] == 1, "the trial began anew"


def test_training_that_diverges_is_a_failed_trial(data_folder, tmp_path):
    trials = tune(
        data_folder, tmp_path, settings=TuningSettings(trials=4), **{"training.learning_rate": [0.001, 1e30]}
    )
    failed = [trial for trial in trials if trial.outcome == "failed"]
    assert failed
    assert all(trial.settings["training.learning_rate"] == 1e30 for trial in failed)
    assert "no longer finite" in failed[0].reason
    assert not list(tmp_path.glob("*.safetensors"))


def test_settings_that_do_not_go_together_are_a_failed_trial(data_folder, tmp_path):
    choice = ModelChoice(name="deminet")
    objective = TrainingObjective(choice, TRAINING, data_folder, tmp_path, "test", lambda progress: None)
    attempt = Attempt(0, 1, {"model.heads": 16, "model.embedding_width": 4})
    with pytest.raises(TrialFailedError, match="heads = 16: should be a divisor of the node width, 8"):
        objective(attempt, lambda passes, best_auc: None)


def test_search_never_reads_the_test_part(data_folder, tmp_path, unbroken, monkeypatch):
    """Neither by scoring it, nor in any way that its samples could change a trial."""
    real, parts = training_module.predict, set()

    def predict(model, data, resident, part, limit=None):
        parts.add(part)
        assert part != "test"
        return real(model, data, resident, part, limit)

    monkeypatch.setattr(training_module, "predict", predict)
    spoilt = tmp_path / "sequences"
    shutil.copytree(data_folder, spoilt)
    files = [path for path in spoilt.rglob("*") if path.is_file() and "test" in str(path.relative_to(spoilt))]
    assert files
    for path in files:
        content = path.read_bytes()
        path.write_bytes(content[:128] + bytes(len(content) - 128))  # behind the header: zeros
    assert tune(spoilt, tmp_path / "study") == unbroken
    assert parts == {"validation"}
