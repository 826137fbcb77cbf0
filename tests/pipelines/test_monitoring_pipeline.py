"""The monitoring pipeline as a user runs it: after training, on a window, and on a service's predictions."""

import json

import pytest
import yaml
from project import SMALL, Project

from model_code.monitoring.verdict import MonitoringVerdict

PIPELINE = "pipelines.monitoring.monitoring_pipeline"
LOG = "configs/small.yaml"
WINDOW = {"start": "2024-03-16T00:00:00+00:00"}
PREPARES = {"ingest", "validate", "split", "build_sequences"}
HISTORY = "registry/monitoring/deminet-demo.jsonl"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("pipeline") / "project")
    (project.folder / LOG).write_text(yaml.safe_dump({"model": {"name": "any"}, "parameters": SMALL}))
    return project


def watch(project, **parameters):
    monitoring = {"sample_rows": 2_000}
    given = {"log": LOG, "window": WINDOW, "monitoring": monitoring}
    return project.run_pipeline(PIPELINE, given | parameters)


def newest(project):
    return max((project.folder / "reports" / "monitoring_pipeline").iterdir(), key=lambda run: run.name)


def lines(project):
    return [json.loads(line) for line in (project.folder / HISTORY).read_text().splitlines()]


@pytest.fixture(scope="module")
def refused(project):
    """Before there is any model."""
    return watch(project)


@pytest.fixture(scope="module")
def first(project, refused):
    run = project.run(baselines=[{"name": "popularity"}])
    assert run.code == 0, run.output
    assert "promoted to staging" in run.output
    run = watch(project)
    assert run.code == 0, run.output
    assert project.pages_without_lineage == []
    return run


def test_without_a_promoted_version_the_remedy_is_named_before_anything_runs(refused):
    assert refused.code != 0
    assert refused.executed == set()
    assert "no version of deminet-demo is promoted" in refused.output
    assert "--stage staging" in refused.output


def test_a_window_leaves_a_verdict_reports_and_a_line_of_history(project, first):
    assert first.cached == {"ingest"}, "the training run has read the same log up to the same moment"
    assert first.executed == PREPARES - first.cached | {"observe_log", "monitor"}
    folder = newest(project)
    assert {path.name for path in folder.iterdir()} == {
        "lineage.json",
        "validation.html",
        "monitoring.html",
        "evidently.html",
        "verdict.json",
    }
    verdict = MonitoringVerdict.read(folder / "verdict.json")
    assert verdict.version == "1"
    assert verdict.rows == 10 * verdict.clicks > 0
    # The window lies in the version's own test period: only the time of the day and little else may warn.
    assert verdict.status != "retrain"
    compared = {finding.name for finding in verdict.findings}
    assert compared >= {
        "category",
        "popularity",
        "hour",
        "behavior",
        "score",
        "auc",
        "calibration",
        "quarantine",
    }
    [line] = lines(project)
    assert line["version"] == "1"
    assert line["status"] == verdict.status
    summary = first.output[first.output.index("deminet-demo version 1: ") :]
    for name in ("monitoring.html", "evidently.html", "verdict.json", HISTORY):
        assert name in summary
    assert "monitoring.html" in (project.folder / "reports" / "index.html").read_text()
    assert 'src="http' not in (folder / "evidently.html").read_text()


def test_the_same_window_again_prepares_nothing_and_adds_no_line(project, first):
    run = watch(project)
    assert run.code == 0, run.output
    assert run.cached == PREPARES
    assert run.executed == {"observe_log", "monitor"}
    assert len(lines(project)) == 1


def test_no_model_version_is_made_by_watching(project, first):
    versions = project.ask(
        'print(json.dumps([v.name for v in client.list_model_versions(model="deminet-demo").items]))'
    )
    assert versions == ["1"]


@pytest.mark.slow
def test_drift_in_another_log_is_found_and_later_rows_are_no_fault(project, first):
    project.shell(
        """
        .venv/bin/python -m model_code.events.simulate demo drifted --users 600 --clicks 9000 --items 500 \
            --drift categories --drift-strength 0.5 --drift-from 2024-03-16T00:00:00+00:00
        """
    )
    window = {"start": WINDOW["start"], "end": "2024-03-17T12:00:00+00:00"}
    run = watch(project, path="drifted", window=window, version="1", monitoring={"sample_rows": 0})
    assert run.code == 0, run.output
    verdict = MonitoringVerdict.read(newest(project) / "verdict.json")
    assert verdict.status == "retrain"
    by_name = {finding.name: finding for finding in verdict.findings}
    assert by_name["category"].status == "retrain"
    assert by_name["unknown_categories"].status == "retrain"
    assert by_name["quarantine"].value < 0.01
    assert "retrain" in [line["status"] for line in lines(project)]
    assert len(lines(project)) == 2


PREDICTIONS = """
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from pathlib import Path
from model_code.monitoring.prediction_log import LABELS, SCHEMA
rng = np.random.default_rng(0)
start, n, width = 1710547200000, 400, 5
Path("served").mkdir()
def table(columns, schema):
    return pa.table([pa.array(columns[f.name], f.type) for f in schema], schema=schema)
for number in range(2):
    request = np.repeat([f"{number}-{k}" for k in range(n)], width)
    time = np.repeat(start + number * 86400000 + np.sort(rng.integers(0, 86400000, n)), width)
    item = rng.integers(1, 500, n * width)
    pq.write_table(table({
        "request_id": request, "time": time, "model_version": ["1"] * len(item),
        "user_id": np.repeat([str(u) for u in rng.integers(1, 200, n)], width),
        "item_id": [str(i) for i in item], "position": np.tile(np.arange(width), n),
        "score": rng.random(len(item)) * 0.2, "history_length": np.repeat(rng.integers(1, 20, n), width),
        "last_event_time": time - 60000,
    }, SCHEMA), f"served/{number}.parquet")
    pq.write_table(table({"request_id": request, "item_id": [str(i) for i in item],
        "clicked": rng.random(len(item)) < 0.1}, LABELS), f"labels-{number}.parquet")
"""


def test_a_prediction_log_is_watched_against_an_earlier_time_of_its_own(project, first):
    project.shell(f".venv/bin/python - <<'END'\n{PREDICTIONS}\nEND")
    window = {"start": "2024-03-17T00:00:00+00:00", "end": "2024-03-18T00:00:00+00:00"}
    earlier = {"start": "2024-03-16T00:00:00+00:00", "end": "2024-03-17T00:00:00+00:00"}
    predictions = {
        "path": "served",
        "labels": "labels-1.parquet",
        "reference": earlier,
        "model_version": "1",
    }
    run = project.run_pipeline(
        PIPELINE, {"window": window, "predictions": predictions, "monitoring": {"sample_rows": 0}}
    )
    assert run.code == 0, run.output
    assert run.executed == {"observe_predictions", "monitor"}
    verdict = MonitoringVerdict.read(newest(project) / "verdict.json")
    assert verdict.source == "predictions"
    assert verdict.status == "ok"
    assert verdict.rows > 1_900
