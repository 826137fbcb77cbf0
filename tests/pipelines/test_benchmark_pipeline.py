"""The benchmark pipeline as a user runs it: what it leaves, and what a second run takes from the first."""

import csv

import pytest
import yaml
from project import SMALL, Project

from model_code.benchmark.results import Results

PIPELINE = "pipelines.benchmark.benchmark_pipeline"
LOG = "configs/small.yaml"
PREPARES = {"ingest", "validate", "split", "build_sequences"}
LABELS = ["popularity", "wo_dha", "wo_ssl", "wo_ie", "deminet"]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("pipeline") / "project")
    (project.folder / LOG).write_text(yaml.safe_dump({"model": {"name": "any"}, "parameters": SMALL}))
    return project


def benchmark(project, **settings):
    own = {
        "experiments": ["table_3"],
        "seeds": [1],
        "settings": {"deminet": {"interests": 2, "hidden": [16, 8]}},
        "workers": 2,
    }
    evaluation = SMALL["evaluation"]
    return project.run_pipeline(PIPELINE, {"log": LOG, "benchmark": own | settings, "evaluation": evaluation})


def reports(project):
    return max((project.folder / "reports" / "benchmark_pipeline").iterdir(), key=lambda run: run.name)


@pytest.fixture(scope="module")
def first(project):
    run = benchmark(project)
    assert run.code == 0, run.output
    assert project.pages_without_lineage == []
    return run


def test_leaves_a_report_and_its_numbers(project, first):
    assert first.executed == PREPARES | {"require_valid", "run_grid", "benchmark_report"}
    assert "5 of 5 cells" in first.output
    folder = reports(project)
    assert {path.name for path in folder.iterdir()} == {
        "lineage.json",
        *("validation.html", "benchmark.html", "results.json", "results.md", "analysis.json"),
        *("rows.csv", "cells.csv"),
    }
    results = Results.read(folder / "results.json")
    assert [row.label for row in results.rows] == LABELS
    assert all(row.measures is not None for row in results.rows)
    assert results.facts.seeds == (1,)
    assert PIPELINE in results.facts.command
    with (folder / "cells.csv").open() as file:
        assert {line["auc"] for line in csv.DictReader(file)} == {str(cell.auc) for cell in results.cells}
    table = first.output[first.output.index("DemiNet") :]
    assert f"{results.deminet.measures.auc.mean:.4f}" in table
    assert str(folder.relative_to(project.folder) / "benchmark.html") in first.output


@pytest.mark.slow
def test_another_seed_trains_only_what_is_new(project, first):
    kept = {path: path.stat().st_mtime_ns for path in project.folder.glob("checkpoints/benchmark/*/eval*")}
    assert len(kept) == 5
    run = benchmark(project, seeds=[1, 2], experiments=["figure_3b"])
    assert run.code == 0, run.output
    assert run.cached >= PREPARES
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    results = Results.read(reports(project) / "results.json")
    assert len(results.cells) == 10
    assert len(list(project.folder.glob("checkpoints/benchmark/*/eval*"))) == 5 + 3 + 5
