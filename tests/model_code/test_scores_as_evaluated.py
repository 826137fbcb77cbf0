"""Whatever scores a bundle gives what its evaluation gave, on the same histories and candidates.

The log has items that the model does not know, of categories that it does; categories it does not know;
events without one; items that change theirs; unknown users; ties in time; histories beyond the longest.
"""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from fastapi.testclient import TestClient

from benchmarks.fresh_bundle import with_onnx
from model_code.batch_scoring.run import score_log
from model_code.batch_scoring.settings import BatchScoringSettings
from model_code.bundle import write_bundle
from model_code.events.click_log import ClickLog
from model_code.events.engine import EngineSettings
from model_code.files import write_json
from model_code.models.table import MODELS, build
from model_code.onnx_ranker import OnnxRanker
from model_code.scoring import predict, sigmoid
from model_code.sequences import build as sequences
from model_code.sequences.batches import ResidentLog
from model_code.sequences.data import SequenceFolder
from model_code.sequences.logged_ids import LoggedIds
from model_code.sequences.settings import SequenceSettings
from model_code.serving.app import create_app
from model_code.serving.settings import ServingSettings

VALIDATION, TEST, END = 16, 20, 23  # ms
LENGTH = 5
SETTINGS = SequenceSettings(max_length=LENGTH, negatives_per_positive=3, negative_block=100)
ENGINE = EngineSettings(threads=1)


def write_events(path):
    random = np.random.default_rng(4)
    rows = {}  # each once
    for user in range(80):
        first = VALIDATION if user >= 65 else 0  # the last users are unknown
        for time in random.integers(first, END, random.integers(3, 25)).tolist():
            item = int(random.integers(0, 60 if time >= VALIDATION else 36))
            category = 9 if item >= 54 else item % 5
            category = random.choice([category, None, (category + 1) % 5], p=[0.8, 0.1, 0.1])
            rows[user, time, item, category] = None
            if random.random() < 0.1:
                rows[user, time, item, 2] = None
    names = ("user_id", "timestamp", "item_id", "category_id")
    table = pa.table(dict(zip(names, zip(*rows, strict=True), strict=True)))
    table = table.sort_by([(name, "ascending") for name in names])
    time = table["timestamp"].to_numpy()
    part = (time >= VALIDATION).astype(np.int8) + (time >= TEST)
    pq.write_table(table.append_column("part", pa.array(part)), path)


class Evaluated:
    """A log, its test groups by the ids of the log, and bundles with the scores of their evaluation."""

    def __init__(self, folder):
        self.folder = folder
        write_events(folder / "events.parquet")
        manifest = {"validation_timestamp": VALIDATION, "split_timestamp": TEST}
        log = SimpleNamespace(path=folder, events=folder / "events.parquet", manifest=manifest)
        self.data = sequences.build(log, SETTINGS, ENGINE, folder / "sequences")
        id_types = dict.fromkeys(("user_id", "item_id", "category_id"), "BIGINT")
        write_json(folder / "manifest.json", {"id_types": id_types, "time": {"first": 0, "last": END}})
        self.logged = LoggedIds.load(SequenceFolder(folder / "sequences"))
        self.groups = [self._group(row) for row in range(len(self.data.parts["test"]))]

    def _group(self, row):
        samples, data = self.data.parts["test"], self.data
        user = int(samples.user[row])
        history = slice(data.user_offsets[user], samples.history_end[row])  # all of it, however long
        candidates = samples.candidates(slice(row, row + 1))[0]
        items, categories = self.logged.items.to_pylist(), self.logged.categories.to_pylist()
        return {
            "history": [items[code] for code in data.item[history]],
            "candidates": [items[code] for code in data.item[candidates]],
            "user": self.logged.users[user].as_py(),
            "history_categories": [categories[code] for code in data.category[history]],
            "candidate_categories": [categories[code] for code in data.category[candidates]],
        }

    def time(self, row):
        return int(self.data.timestamp[self.data.parts["test"].position[row]])

    def bundle(self, name):
        torch.manual_seed(1)
        settings = MODELS[name].defaults(user_embedding=True, embedding_scale=2.0)
        return write_bundle(
            self.folder / name,
            name=name,
            settings=settings,
            model=build(name, settings, self.data.shape),
            shape=self.data.shape,
            vocabulary=self.folder / "sequences",
            history=[],
            details={},
        )

    def scores(self, bundle):
        return sigmoid(predict(bundle.load_model(), self.data, ResidentLog.of(self.data), "test"))

    def at_one_time(self):
        """Moments, and rows of groups of different users whose targets are of that moment."""
        rows = {}
        for row, group in enumerate(self.groups):
            rows.setdefault(self.time(row), {}).setdefault(group["user"], row)
        return {time: list(of_users.values()) for time, of_users in rows.items()}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    return Evaluated(tmp_path_factory.mktemp("evaluated"))


@pytest.fixture(scope="module")
def din(evaluated):
    return evaluated.bundle("din")


def test_the_log_has_what_is_to_be_told_apart(evaluated):
    data, sizes = evaluated.data, evaluated.data.sizes
    history = np.concatenate([group["history"] for group in evaluated.groups])
    known = set(evaluated.logged.items[2 : sizes.items].to_pylist())
    assert 0.1 < np.mean([item not in known for item in history]) < 0.9
    candidates = data.parts["test"].candidates(slice(None))
    unknown = data.item[candidates] >= sizes.items
    assert 0.1 < unknown.mean() < 0.9
    assert (data.category[candidates][unknown] < sizes.categories).any()
    assert (data.category >= sizes.categories).any()
    assert (data.category == 1).any()
    assert max(len(group["history"]) for group in evaluated.groups) > LENGTH
    assert (data.user[data.parts["test"].user] == 1).any()


@pytest.mark.parametrize("name", ["din", "deminet"])
def test_the_ranker_scores_as_the_evaluation_did(name, evaluated):
    bundle = evaluated.bundle(name)
    ranker, expected = bundle.ranker(), evaluated.scores(bundle)
    found = np.array([ranker.rank(**group) for group in evaluated.groups])
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)
    if ranker.explains:
        explained = np.array([ranker.explain(**group).probability for group in evaluated.groups])
        np.testing.assert_allclose(explained, expected, atol=1e-5, rtol=0)
    alone = [ranker.rank(group["history"], group["candidates"], group["user"]) for group in evaluated.groups]
    assert np.mean(np.abs(alone - expected) > 1e-3) > 0.3  # without their categories


def test_onnx_scores_as_the_evaluation_did(evaluated, din):
    ranker = OnnxRanker(with_onnx(din, evaluated.folder / "exported"), threads=1)
    found = np.array([ranker.rank(**group) for group in evaluated.groups])
    np.testing.assert_allclose(found, evaluated.scores(din), atol=1e-5, rtol=0)


def test_batch_scoring_scores_as_the_evaluation_did(evaluated, din):
    expected, done = evaluated.scores(din), 0
    for time, rows in evaluated.at_one_time().items():
        pairs = [
            (evaluated.groups[row]["user"], item, category, score)
            for row in rows
            for item, category, score in zip(
                *(evaluated.groups[row][name] for name in ("candidates", "candidate_categories")),
                expected[row],
                strict=True,
            )
        ]
        user, item, category, score = zip(*pairs, strict=True)
        path, out = evaluated.folder / "pairs.parquet", evaluated.folder / "scored"
        pq.write_table(pa.table({"user_id": user, "item_id": item, "category_id": category}), path)
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time)
        settings = BatchScoringSettings(pairs=str(path), as_of=moment.isoformat())
        scores = score_log(ClickLog(evaluated.folder), din, settings, ENGINE, out)
        found = {
            (row["user_id"], row["item_id"]): row["score"] for row in pq.read_table(scores.scores).to_pylist()
        }
        assert len(found) == len(pairs)
        of_pairs = [found[pair] for pair in zip(user, item, strict=True)]
        np.testing.assert_allclose(of_pairs, score, atol=1e-5, rtol=0)
        done += len(rows)
    assert done > 20


def test_the_server_scores_as_the_evaluation_did(evaluated, din):
    expected = evaluated.scores(din)
    events = pq.read_table(evaluated.folder / "events.parquet")
    for time, rows in evaluated.at_one_time().items():
        path = evaluated.folder / "before.parquet"
        pq.write_table(events.filter(pa.array(events["timestamp"].to_numpy() < time)), path)
        settings = ServingSettings(bundle=str(din.path), histories=str(path), max_candidates=4)
        with TestClient(create_app(settings)) as client:
            for row in rows:
                asked = {**evaluated.groups[row]}
                asked["user_id"] = asked.pop("user")
                known = {name: asked[name] for name in ("user_id", "candidates", "candidate_categories")}
                for body in (asked, known):
                    answer = client.post("/rank", json=body)
                    assert answer.status_code == 200, answer.text
                    found = [one["probability"] for one in answer.json()["candidates"]]
                    np.testing.assert_allclose(found, expected[row], atol=1e-5, rtol=0)
