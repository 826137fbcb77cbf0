"""The retraining workflow from the first champion on, against a git remote and a DVC remote of its own."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import yaml
from project import ROOT, SMALL
from runner import Runner

from model_code.events.simulate import DEMO, write_demo_log
from model_code.events.simulation.drift import DriftSettings
from steps.registry.registry import Registry
from steps.registry.tools import dvc, git

WORKFLOW = ".github/workflows/retrain.yml"
COPIED = (
    "model_code", "steps", "pipelines", "configs", ".github", ".gitignore", "Makefile", "pyproject.toml",
    "constraints.txt",
)  # fmt: skip
DAYS = 11  # that the first log has; the other three come later, and drift


class Developer:
    """A checkout with a git and a DVC remote."""

    def __init__(self, folder):
        self.folder, self.remote, self.log = folder / "developer", folder / "remote.git", folder / "log"
        self.folder.mkdir()
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.folder / name)
        self._configure()
        drift = DriftSettings(kind="popularity", strength=0.7, start="2024-03-15T00:00:00+00:00")
        write_demo_log(replace(DEMO, users=600, clicks=9_000, items=500), self.log, drift)
        git(self.folder, "init", "--quiet", "--initial-branch=main")
        git(self.folder, "config", "user.name", "Ann")
        git(self.folder, "config", "user.email", "ann@example.org")
        dvc(self.folder, "init", "--quiet", "--force")
        shutil.copy(ROOT / ".dvc" / "config", self.folder / ".dvc")
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.remote))
        git(self.folder, "remote", "add", "origin", str(self.remote))

    def _configure(self):
        small = {**SMALL, "source": {"path": "data/clicks", **_source()}}
        for name, values in {
            "small.yaml": {"parameters": small},
            "monitoring/small.yaml": {"parameters": {"monitoring": {"sample_rows": 1_000}}},
            "retrain/demo.yaml": {
                "training": "configs/small.yaml",
                "monitoring": "configs/monitoring/small.yaml",
            },
        }.items():
            (self.folder / "configs" / name).write_text(yaml.safe_dump(values))

    def log_days(self, days):
        """Put these days of the log into the data and push it."""
        clicks = self.folder / "data" / "clicks"
        clicks.mkdir(parents=True, exist_ok=True)
        for file in sorted(self.log.iterdir())[days]:
            shutil.copy(file, clicks)
        dvc(self.folder, "add", "--quiet", "data")
        dvc(self.folder, "push", "--quiet")
        self.push("More days")

    def push(self, message):
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--quiet", "-m", message)
        git(self.folder, "push", "--quiet", "origin", "main")

    def merge(self, branch):
        git(self.folder, "fetch", "--quiet")
        git(self.folder, "merge", "--quiet", "--no-ff", "-m", "Merge it", f"origin/{branch}")
        git(self.folder, "push", "--quiet", "origin", "main")

    def configure(self, group, **settings):
        file = self.folder / "configs" / "small.yaml"
        values = yaml.safe_load(file.read_text())
        values["parameters"][group].update(settings)
        file.write_text(yaml.safe_dump(values))


def _source():
    from pipelines.preparation import LogConfig

    source = json.loads(json.dumps(LogConfig().source.__dict__, default=lambda value: value.__dict__))
    return {key: value for key, value in source.items() if key != "path" and value is not None}


@pytest.fixture(scope="module")
def developer(tmp_path_factory):
    developer = Developer(tmp_path_factory.mktemp("retraining"))
    developer.log_days(slice(DAYS))
    return developer


@pytest.fixture(scope="module")
def first(developer, tmp_path_factory):
    runner = Runner(tmp_path_factory.mktemp("runners") / "first", developer.remote)
    return runner, runner.follow(WORKFLOW, "retrain", "push")


@pytest.mark.slow
def test_the_first_champion_is_trained_and_proposed(developer, first):
    runner, outputs = first
    assert outputs["outcome"] == "promoted"
    assert "there is no champion yet" in runner.summary
    assert "| Data validation | passed |" in runner.summary
    assert runner.asked[:4] == ["pr", "create", "--title", "Promote deminet-demo version 1"]
    assert outputs["branch"] in git(developer.folder, "ls-remote", "--heads", "origin")
    assert (runner.checkout / "reports" / "registry.html").is_file()
    changed = git(runner.checkout, "diff", "--name-only", "origin/main", "HEAD").split()
    stored = {name for name in changed if name.startswith("demo/remote/")}
    assert stored, "the remote is in this repository: what is pinned must be in there"
    pinned = {"registry/champion.json", "registry/bundle.dvc", "registry/.gitignore"}
    assert set(changed) - stored == pinned


@pytest.mark.slow
def test_drifted_data_are_noticed_and_the_challenger_is_held_against_the_champion(developer, first, tmp_path):
    waiting = Runner(tmp_path / "waiting", developer.remote)  # the next night, the proposal still open
    seen = "registry/monitoring"
    shutil.copytree(first[0].checkout / seen, waiting.checkout / seen)  # as the workflow's cache does
    assert waiting.follow(WORKFLOW, "retrain", "schedule")["outcome"] == "not_needed"
    assert "were tried before, and promoted" in waiting.summary

    developer.merge(first[1]["branch"])
    registry = Registry(developer.folder)
    assert registry.champion.version == 1

    quiet = Runner(tmp_path / "quiet", developer.remote)
    assert quiet.follow(WORKFLOW, "retrain", "schedule")["outcome"] == "not_needed"
    assert "nothing was logged since version 1 was trained" in quiet.summary
    assert quiet.asked == []
    developer.configure("training", epochs=2, samples_per_epoch=5_000)  # the first has hardly learnt
    developer.log_days(slice(DAYS, None))
    runner = Runner(tmp_path / "drifted", developer.remote)
    outputs = runner.follow(WORKFLOW, "retrain", "schedule")
    assert "Monitoring: **retrain**" in runner.summary
    assert "monitoring: " in runner.summary
    assert "AUC not worse than the champion's" in runner.summary  # paired, on the same samples
    assert outputs["outcome"] == "promoted", runner.summary
    developer.merge(outputs["branch"])
    assert [change.who for change in registry.changes()] == ["Ann", "Ann"]
    assert registry.champion.version == 2
    assert registry.champion.lineage["data.dvc md5"] != registry.changes()[1].record.lineage["data.dvc md5"]

    developer.configure("gates", min_auc_over_popularity=0.9)
    developer.push("Ask for more than can be had")
    refused = Runner(tmp_path / "refused", developer.remote)
    outputs = refused.follow(WORKFLOW, "retrain", "push")
    assert outputs["outcome"] == "refused"
    assert "configuration changed since version 2 was trained" in refused.summary
    assert "| Margin over popularity | **failed** |" in refused.summary
    assert refused.asked == []
    assert git(refused.checkout, "status", "--porcelain", "--", "registry/champion.json") == ""

    dvc(developer.folder, "pull", "--quiet")
    assert registry.roll_back(None, "the drift was a fault of the log").version == 1
    registry.champion.check(registry.bundle)
