"""The training pipeline as a user runs it: what it leaves behind, and what a rerun does again."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from project import ROOT, SMALL, Project

from model_code.bundle import Bundle
from model_code.onnx_ranker import OnnxRanker
from model_code.scoring import predict
from model_code.sequences.batches import ResidentLog
from model_code.sequences.data import SequenceData
from model_code.sequences.settings import SequenceSettings

MODELS = ("deminet", "din", "popularity")
ACTS = {"require_valid", "judge", "register"}  # these look at the world outside, and always run
TRAINS = {f"train_{model}" for model in MODELS}
EVALUATES = {f"evaluate_{model}" for model in MODELS}
PREPARES = {"ingest", "validate", "split", "build_sequences"}
SCORING = "pipelines.scoring.scoring_pipeline"
GROUP = 1 + SequenceSettings().negatives_per_positive
ALL = ACTS | TRAINS | EVALUATES | PREPARES | {"compare"}

STAGES = """
versions = client.list_model_versions(model="deminet-demo").items
print(json.dumps({version.name: version.stage for version in versions}))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("pipeline") / "project")


@pytest.fixture(scope="module")
def first(project):
    run = project.run()
    assert run.code == 0, run.output
    return run


def test_first_run_does_everything_and_sums_up(project, first):
    assert first.executed == ALL
    summary = first.output[first.output.index("deminet-demo version 1: promoted to staging") :]
    for word in ("quarantined", "test from", "deminet", "din", "popularity", "no champion yet"):
        assert word in summary
    for line in summary.splitlines():
        if line.strip().endswith(".html"):
            assert (project.folder / line.split()[-1]).is_file(), line
    index = (project.folder / "reports" / "index.html").read_text()
    assert "comparison.html" in index
    assert "validation.html" in index
    assert re.search(r'<code title="[0-9a-f]{64}">', index), "the version of the data"
    assert project.pages_without_lineage == []


def test_every_step_logs_counts_time_and_memory(project, first):
    metadata = project.ask(
        "run = client.list_pipeline_runs(size=1).items[0]\n"
        "print(json.dumps({name: step.run_metadata for name, step in run.steps.items()}, default=str))"
    )
    assert set(metadata) == ALL
    for name in ALL - {"require_valid"}:
        assert metadata[name]["seconds"] > 0, name
        assert metadata[name]["peak_memory_mib"] > 0, name
    assert metadata["ingest"]["balance"]["quarantined"] > 0
    assert metadata["split"]["split_timestamp"] > metadata["split"]["validation_timestamp"]
    assert metadata["evaluate_deminet"]["auc"] > 0.5
    assert metadata["train_deminet"]["history"]


def test_registered_bundle_holds_lineage_and_scores_without_the_orchestrator(project, first):
    found = project.ask(
        'version = client.get_model_version("deminet-demo", "staging")\n'
        'uri = version.get_artifact("registered_bundle").uri\n'
        "print(json.dumps([uri, version.run_metadata], default=str))"
    )
    bundle, metadata = Bundle(Path(found[0]) / "content"), found[1]
    assert re.fullmatch("[0-9a-f]{64}", metadata["lineage"]["raw files"])
    assert "does not pin" in metadata["lineage"]["data.dvc"], "the copy's log is not the demo's"
    assert {"split", "metrics", "verdict", "validation", "settings", "reports"} <= set(metadata)
    assert bundle.manifest["lineage"] == metadata["lineage"]
    assert "# deminet-demo, version 1" in (bundle.path / "MODEL_CARD.md").read_text()
    auc = json.loads((bundle.path / "metrics.json").read_text())["deminet"]["metrics"]["auc"]
    assert auc == metadata["metrics"]["deminet"]["metrics"]["auc"]
    assert metadata["bundle_checksum"] == bundle.checksum
    items = bundle.ranker().vocabulary.items["item_id"].to_pylist()
    scores = bundle.ranker().rank(items[:5], items[5:9])
    assert len(scores) == 4
    np.testing.assert_allclose(OnnxRanker(bundle).rank(items[:5], items[5:9]), scores, atol=1e-5)


def test_scoring_pipeline_scores_with_the_promoted_version(project, first):
    pq.write_table(pa.table({"user_id": [1, 2, 10**9]}), project.folder / "users.parquet")
    (project.folder / "log.yaml").write_text(yaml.safe_dump({"parameters": SMALL}))
    scoring = {"users": "users.parquet", "top_n": 5, "scores_per_batch": 1000}
    run = project.run_pipeline(SCORING, {"log": "log.yaml", "scoring": scoring})
    assert run.code == 0, run.output
    assert (run.cached, run.executed) == ({"ingest"}, {"score"})
    assert "deminet-demo version 1 (staging): " in run.output
    folders = project.ask(
        'version = client.get_model_version("deminet-demo", "staging")\n'
        'found = [client.get_artifact_version("batch_scores")]\n'
        'found += [version.get_artifact(name) for name in ("registered_bundle", "click_log")]\n'
        "print(json.dumps([artifact.uri for artifact in found]))"
    )
    scores, bundle, log = (Path(uri) / "content" for uri in folders)
    found = pq.read_table(scores / "scores.parquet").to_pandas()
    assert found.groupby("user_id")["rank"].apply(list).to_dict() == {1: [1, 2, 3, 4, 5], 2: [1, 2, 3, 4, 5]}
    assert pq.read_table(scores / "unscored.parquet")["user_id"].to_pylist() == [10**9]
    history = pq.read_table(log / "events.parquet", filters=[("user_id", "=", 2)])
    items, categories = (history[name].to_pylist() for name in ("item_id", "category_id"))
    best = found[found.user_id == 2]
    ranker = Bundle(bundle).ranker()
    expected = ranker.rank(items, best["item_id"].tolist(), user=2, history_categories=categories)
    np.testing.assert_allclose(best["score"], expected, atol=1e-6)


def test_scoring_without_a_promoted_version_says_what_to_do(project, first):
    run = project.run_pipeline(SCORING, {"log": "log.yaml", "model": "nobody"})
    assert run.code != 0
    assert "no version of nobody is promoted" in run.output


def test_registered_bundle_gives_the_scores_that_were_evaluated(project, first):
    """In this process, which has no orchestrator's database."""
    uris = project.ask(
        'version = client.get_model_version("deminet-demo", "1")\n'
        'names = ("registered_bundle", "sequences", "evaluation_deminet")\n'
        "print(json.dumps([version.get_artifact(name).uri for name in names]))"
    )
    bundle, sequences, evaluation = (Path(uri) / "content" for uri in uris)
    data = SequenceData.load(sequences)
    logits = predict(Bundle(bundle).load_model(), data, ResidentLog.of(data), "test")
    scored = pq.read_table(evaluation / "scores.parquet")["logit"].to_numpy()
    np.testing.assert_allclose(logits.ravel(), scored, atol=1e-5)


def test_rerun_is_served_from_the_cache_and_meets_its_champion(project, first):
    again = project.run()
    assert again.executed == ACTS
    assert again.cached == ALL - ACTS
    assert "AUC differs by +0.0000 (+0.0000 to +0.0000): within noise" in again.output
    assert project.ask(STAGES) == {"1": "archived", "2": "staging"}


@pytest.fixture(scope="module")
def own(project, first):
    """The walk-through of docs/own-model.md, with a second own model, which knows the labels and is a gate.

    Returns the stages of all versions before and after, and the run.
    """
    blocks = re.findall(r"```(\w+)\n(.*?)```", (ROOT / "docs" / "own-model.md").read_text(), re.DOTALL)
    export, score, settings, _ = (text for language, text in blocks if language != "py")
    project.shell(export)
    project.shell(f".venv/bin/python - <<'END'\n{score}\nEND")
    scores = pq.read_table(project.folder / "own" / "scores.parquet")
    oracle = np.where(scores["sample_id"].to_numpy() % GROUP == 0, 3.0, -3.0)
    scores = scores.set_column(scores.schema.get_field_index("score"), "score", [oracle])
    pq.write_table(scores, project.folder / "own" / "oracle.parquet")
    handed_in = yaml.safe_load(settings)["parameters"]["own_scores"]
    handed_in.append({"label": "oracle", "path": "own/oracle.parquet", "kind": "logit", "gate": True})
    before = project.ask(STAGES)
    gates = {"min_auc_over_popularity": 0.9, "must_beat": "not_worse"}
    run = project.run(gates=gates, own_scores=handed_in)
    assert run.code == 0, run.output
    return before, run, project.ask(STAGES)


def test_own_scores_are_evaluated_and_compared_and_nothing_is_trained(project, own):
    run = own[1]
    assert run.executed == ACTS | {"evaluate_category-share", "evaluate_oracle", "compare"}
    summary = run.output[run.output.index("deminet-demo version") :]
    assert re.search(r"\n *\S* *category-share +0\.\d{4} +0\.\d{4} to", summary)
    assert re.search(r"\n *\S* *oracle +1\.0000 ", summary)
    page = next(line.split()[-1] for line in summary.splitlines() if "comparison.html" in line)
    report = (project.folder / page).read_text()
    assert "Of category-share, oracle the scores" in report
    assert '<th scope="row">category-share</th>' in report


def test_an_own_model_is_a_gate_where_asked_alone(own):
    assert re.search(r"FAILED +Not worse than oracle: AUC differs by -0\.", own[1].output)
    assert "Not worse than category-share" not in own[1].output


def test_failed_gate_names_its_reason_and_changes_no_stage(own):
    before, run, after = own
    assert "not promoted" in run.output
    assert "at least +0.9000 is asked" in run.output
    assert {version: after[version] for version in before} == before


def test_changed_settings_rerun_what_depends_on_them(project, first):
    run = project.run(training={"seed": 2})
    assert run.cached == PREPARES
    assert run.executed >= TRAINS | {"evaluate_deminet", "evaluate_din", "compare"}


def test_changed_code_reruns_the_steps_that_use_it(project, first):
    project.append("model_code/evaluation/slices.py", "\n# changed\n")
    run = project.run()
    assert run.executed & TRAINS == set()
    assert run.executed >= EVALUATES | {"compare"}
    assert run.cached == PREPARES | TRAINS


def first_day(project):
    return min((project.folder / "data" / "clicks").iterdir())


def test_rewritten_data_run_nothing(project, first):
    day = first_day(project)
    day.write_bytes(day.read_bytes())
    again = project.run()
    assert again.executed == ACTS
    assert "The same raw log as version" in again.output


@pytest.mark.slow
def test_repeated_data_run_the_preparation_and_changed_data_all(project, first):
    day = first_day(project)
    copy = day.with_name("copy.csv.gz")
    shutil.copy(day, copy)
    repeated = project.run()
    assert repeated.executed == ACTS | PREPARES
    assert re.search(r"\n *\S* *kept +[\d,]+ +[\d,]+ +same\n", repeated.output)
    assert re.search(r"\n *\S* *duplicates +2 +[\d,]{3,} +\+[\d,]{3,}\n", repeated.output)
    page = next(line.split()[-1] for line in repeated.output.splitlines() if "validation.html" in line)
    assert "<code>copy.csv.gz</code>" in (project.folder / page).read_text()

    copy.unlink()
    day.unlink()
    changed = project.run()
    assert changed.executed == ALL


def test_critical_failure_stops_after_the_report_is_kept(project, first):
    run = project.run(validation={"smallest_users": 1_000_000})
    assert run.code != 0
    assert run.executed.isdisjoint(TRAINS | {"split"})
    line = next(line for line in run.output.splitlines() if "failed 1 critical expectation" in line)
    report = Path(line.split("see ")[1].strip())
    assert "1,000,000" in report.read_text()


def test_misspelt_setting_is_named_with_its_value(project):
    run = project.run(training={"epoch": 3})
    assert run.code != 0
    assert "training.epoch = 3: there is no such setting" in run.output


def test_missing_log_is_named_before_anything_runs(project):
    source = {"path": "data/nowhere", "columns": {"user_id": "u", "item_id": "i", "timestamp": "t"}}
    run = project.run(source=source)
    assert run.code != 0
    assert run.executed == set()
    assert "source.path: data/nowhere does not exist" in run.output


def test_missing_scores_are_named_before_anything_runs(project):
    run = project.run(own_scores=[{"label": "mine", "path": "own/nowhere.parquet"}])
    assert run.code != 0
    assert run.executed == set()
    assert "own_scores.mine.path = 'own/nowhere.parquet': should be a Parquet file" in run.output
