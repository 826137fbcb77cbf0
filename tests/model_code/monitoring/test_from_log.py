"""Observations of a prepared log against a loop over its events."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from model_code.bundle import write_bundle
from model_code.models.choice import ModelChoice
from model_code.models.table import build
from model_code.monitoring.from_log import observe_log
from model_code.sequences.data import SequenceData, SequenceFolder
from model_code.sequences.vocabulary import Vocabulary
from tests.model_code.training import small_log

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log") / "split"
    small_log.write_small_log(folder)
    return folder / "sequences"


def bundle_of(folder, out, known_items=None, max_length=6):
    """A bundle whose vocabulary has only the first ``known_items`` items and every other user."""
    shutil.copytree(folder, out / "prepared")
    vocabulary = Vocabulary.load(folder)
    pq.write_table(vocabulary.items.slice(0, known_items), out / "prepared" / "items.parquet")
    users = vocabulary.users.filter(pa.array(np.arange(vocabulary.users.num_rows) % 2 == 0))
    pq.write_table(users, out / "prepared" / "users.parquet")
    shape = SequenceData.load(folder).shape._replace(max_length=max_length)
    model = build("din", ModelChoice(name="din").typed_settings, shape)
    return write_bundle(
        out / "bundle",
        name="din",
        settings=ModelChoice(name="din").typed_settings,
        model=model,
        shape=shape,
        vocabulary=out / "prepared",
        history=[],
        details={},
    )


def test_rows_equal_a_loop_over_the_events(folder, tmp_path):
    data, bundle = SequenceData.load(folder), bundle_of(folder, tmp_path, known_items=30, max_length=4)
    found = observe_log(bundle, SequenceFolder(folder), 10**6, CPU)
    own, model = Vocabulary.load(folder), Vocabulary.load(bundle.path / "vocabulary")
    user_ids = {row["id"]: row["user_id"] for row in own.users.to_pylist()}
    known_users = set(model.users["user_id"].to_pylist())
    categories = {row["id"]: str(row["category_id"]) for row in own.categories.to_pylist()}
    samples = data.parts["test"]
    rows = found.table.to_pylist()
    width = 1 + data.settings.negatives_per_positive
    assert len(rows) == len(samples) * width
    for number in range(0, len(rows), 7):
        group, column = divmod(number, width)
        row, position = rows[number], samples.position[group]
        event = position if column == 0 else samples.negatives[group, column - 1]
        known = data.item[event] < 2 + 30
        assert row["label"] == (column == 0)
        assert row["time"] == data.timestamp[position]
        assert row["user"] == samples.user[group]
        owner = np.searchsorted(data.user_offsets, event, side="right") - 1
        assert row["source"] == (None if column == 0 else owner)
        assert row["item_known"] == known
        assert (row["popularity_decile"] == 0) == (not known)
        assert row["category"] == categories[data.category[event]]
        assert row["category_known"]
        assert row["user_known"] == (user_ids.get(data.user[samples.user[group]]) in known_users)
        start, end = samples.history_start[group], samples.history_end[group]
        assert row["history_length"] == min(4, end - start)
        assert row["gap_ms"] == data.timestamp[position] - data.timestamp[end - 1]
    assert (found.start, found.end) == (800_000, 10**6)


def test_the_model_knows_more_than_the_windows_own_fit_part(folder, tmp_path):
    """Ids that only the window's test part holds are looked up in the model's vocabulary, too."""
    whole = bundle_of(folder, tmp_path)
    shutil.copytree(folder, tmp_path / "window")
    vocabulary = Vocabulary.load(folder)
    cut = vocabulary.items.num_rows - 10
    window = tmp_path / "window"
    pq.write_table(vocabulary.items.slice(0, cut), window / "items.parquet")
    unseen = pq.read_table(window / "unseen" / "items.parquet")
    last = vocabulary.items.slice(cut).select(unseen.column_names)
    pq.write_table(pa.concat_tables([last, unseen]), window / "unseen" / "items.parquet")
    manifest = json.loads((window / "manifest.json").read_text())
    assert manifest["sizes"]["items"] == vocabulary.items.num_rows + 2
    manifest["sizes"]["items"] = cut + 2
    (window / "manifest.json").write_text(json.dumps(manifest))
    before = observe_log(whole, SequenceFolder(folder), None, CPU)
    after = observe_log(whole, SequenceFolder(window), None, CPU)
    assert after.table.drop_columns("score").equals(before.table.drop_columns("score"))
    np.testing.assert_allclose(after.column("score"), before.column("score"), atol=1e-6)
    assert before.end == SequenceData.load(folder).timestamp.max() + 1
