"""The tuning pipeline as a user runs it: what it leaves, what it shares, and what it does again."""

import csv
import json

import pytest
import yaml
from project import SMALL, Project

from model_code.tuning.result import read_tuned

PIPELINE = "pipelines.tuning.tuning_pipeline"
PREPARES = {"ingest", "validate", "split", "build_sequences"}
LOG = "configs/small.yaml"
SEARCH = {
    "model": {"name": "din", "settings": {"hidden": [16, 8], "unit_hidden": [8]}},
    "space": {
        "model.embedding_scale": {"low": 0.05, "high": 0.5, "log": True},
        "training.learning_rate": ["1e-3", "3e-3"],
    },
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("pipeline") / "project")
    (project.folder / LOG).write_text(yaml.safe_dump({"model": {"name": "any"}, "parameters": SMALL}))
    return project


def tune(project, trials, **parameters):
    tuning = {"trials": trials, "startup_trials": 2}
    return project.run_pipeline(PIPELINE, {"log": LOG, "searches": [SEARCH], "tuning": tuning} | parameters)


@pytest.fixture(scope="module")
def first(project):
    run = tune(project, 2)
    assert run.code == 0, run.output
    assert project.pages_without_lineage == []
    return run


def reports(project):
    return max((project.folder / "reports" / "tuning_pipeline").iterdir(), key=lambda run: run.name)


def test_search_leaves_a_report_the_trials_and_settings_to_keep(project, first):
    assert first.executed == PREPARES | {"require_valid", "tune_din", "tuning_report"}
    assert "din: trial 1 of 2, validation AUC 0." in first.output
    folder = reports(project)
    assert {path.name for path in folder.iterdir()} == {
        "lineage.json",
        *("validation.html", "tuning.html", "tuned.yaml", "trials.csv", "trials.json"),
    }
    assert "the search" in (project.folder / "reports" / "index.html").read_text()
    tuned = read_tuned(folder / "tuned.yaml")["din"]
    assert set(tuned.settings) == {"hidden", "unit_hidden", "embedding_scale"}
    assert set(tuned.training) == {"learning_rate"}
    assert f"cp {folder.relative_to(project.folder)}/tuned.yaml configs/tuned/small.yaml" in first.output
    trials = json.loads((folder / "trials.json").read_text())[0]["trials"]
    assert [len(trial["aucs"]) for trial in trials] == [1, 1], "the log's own passes"
    assert trials[0]["settings"] == {"model.embedding_scale": 0.1, "training.learning_rate": 0.001}


def test_more_trials_go_on_from_the_ones_there_are(project, first):
    before = list(csv.DictReader((reports(project) / "trials.csv").open()))
    run = tune(project, 3)
    assert run.cached == PREPARES
    assert run.executed == {"require_valid", "tune_din", "tuning_report"}
    after = list(csv.DictReader((reports(project) / "trials.csv").open()))
    assert after[:2] == before, "even the seconds: these trials were not trained again"
    assert len(after) == 3


@pytest.mark.slow
def test_training_pipeline_shares_the_sequences(project, first):
    run = project.run()
    assert run.code == 0, run.output
    assert run.cached == PREPARES


def test_mistake_in_a_space_is_named_before_anything_runs(project):
    space = {"model.treshold": [0.5]}
    run = tune(project, 2, searches=[SEARCH | {"space": space}])
    assert run.code != 0
    assert run.executed == set()
    assert "din.space.model.treshold: din.settings.treshold = 0.5: there is no such setting" in run.output
