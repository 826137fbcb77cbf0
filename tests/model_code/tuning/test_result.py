"""What a search leaves on disk, and that it comes back."""

import csv
import re

import pytest

from model_code.models.choice import ModelChoice
from model_code.settings import SettingsError
from model_code.training.settings import TrainingSettings
from model_code.tuning.result import SearchResult, Trial, read_tuned, tuned_yaml, write_csv

DEMINET = SearchResult(
    label="deminet",
    model="deminet",
    fixed={"heads": 4},
    start={"model.hidden": (200, 80), "training.learning_rate": 0.001},
    trials=(
        Trial(
            0, 1000, {"model.hidden": [200, 80], "training.learning_rate": 0.001}, "finished", (0.7,), (0.3,)
        ),
        Trial(
            1,
            1001,
            {"model.hidden": [100], "training.learning_rate": 0.002},
            "finished",
            (0.7, 0.75, 0.74),
            (0.3, 0.28, 0.29),
            12.5,
        ),
        Trial(2, 1002, {"model.hidden": [100], "training.learning_rate": 1.0}, "failed", reason="a, b"),
    ),
)
DIN = SearchResult(
    label="din",
    model="din",
    fixed={},
    start={"model.softmax": True},
    trials=(Trial(0, 1000, {"model.softmax": True}, "finished", (0.71,), (0.3,)),),
)


def test_best_is_the_finished_trial_of_the_highest_auc():
    best = DEMINET.best
    assert (best.number, best.auc, best.best_pass, best.log_loss) == (1, 0.75, 2, 0.28)


def test_result_comes_back_from_disk(tmp_path):
    DEMINET.write(tmp_path / "search.json")
    again = SearchResult.read(tmp_path / "search.json")
    assert again.trials == DEMINET.trials
    assert again.tuned == DEMINET.tuned


def test_chosen_settings_come_back_and_apply(tmp_path):
    text = tuned_yaml([DEMINET, DIN], "the log")
    (tmp_path / "tuned.yaml").write_text(text)
    assert "# deminet: validation AUC 0.7500; where it started, 0.7000" in text
    tuned = read_tuned(tmp_path / "tuned.yaml")
    assert set(tuned) == {"deminet", "din"}
    choice, training = tuned["deminet"].applied(ModelChoice(name="deminet"), TrainingSettings(seed=3))
    assert choice == ModelChoice(name="deminet", settings={"heads": 4, "hidden": [100]})
    assert training == TrainingSettings(seed=3, learning_rate=0.002)
    assert tuned["din"].applied(ModelChoice(name="din"), training) == (ModelChoice(name="din"), training)


def test_a_misspelt_key_of_the_file_is_named(tmp_path):
    path = tmp_path / "tuned.yaml"
    path.write_text("deminet:\n  setings: {beta: 1}\n")
    with pytest.raises(SettingsError, match=r"deminet.setings = .*: there is no such setting"):
        read_tuned(path)
    path.write_text("deminet:\n  settings: {betta: 1}\n")
    with pytest.raises(SettingsError, match=re.escape("betta = 1: there is no such setting")):
        read_tuned(path)["deminet"].applied(ModelChoice(name="deminet"), TrainingSettings())


def test_table_has_a_row_a_trial_and_a_column_a_setting(tmp_path):
    write_csv([DEMINET, DIN], tmp_path / "trials.csv")
    rows = list(csv.DictReader((tmp_path / "trials.csv").open()))
    assert [(row["model"], row["trial"], row["outcome"]) for row in rows] == [
        ("deminet", "0", "finished"),
        ("deminet", "1", "finished"),
        ("deminet", "2", "failed"),
        ("din", "0", "finished"),
    ]
    assert (rows[1]["auc"], rows[1]["best_pass"], rows[1]["model.hidden"]) == ("0.75", "2", "[100]")
    assert (rows[2]["auc"], rows[2]["reason"], rows[3]["model.hidden"]) == ("", "a, b", "")
