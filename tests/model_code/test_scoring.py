"""The table of scored samples against a loop over the log, and scoring with another vocabulary."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from model_code import scoring
from model_code.groups import UNKNOWN
from model_code.models.choice import ModelChoice
from model_code.models.table import build
from model_code.scoring import predict, recode, score_part
from model_code.sequences.batches import ResidentLog, scoring_batches
from model_code.sequences.data import SequenceData, SequenceFolder
from model_code.sequences.logged_ids import LoggedIds
from model_code.sequences.vocabulary import Vocabulary
from tests.model_code.training import small_log

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log") / "split"
    small_log.write_small_log(folder)
    return folder / "sequences"


@pytest.fixture(scope="module")
def data(folder):
    return SequenceData.load(folder)


@pytest.fixture(scope="module")
def model(data):
    torch.manual_seed(0)
    return build("din", ModelChoice(name="din").typed_settings, data.shape)


def test_table_equals_a_loop_over_the_log(data, model, tmp_path):
    samples = data.parts["test"]
    written = score_part(model, data, ResidentLog.of(data), "test", tmp_path / "scores.parquet")
    rows = pq.read_table(tmp_path / "scores.parquet").to_pylist()
    width = 1 + data.settings.negatives_per_positive
    assert written == len(rows) == len(samples) * width
    for row in rows[:: len(rows) // 200]:
        group, column = divmod(row["sample_id"], width)
        event = samples.position[group] if column == 0 else samples.negatives[group, column - 1]
        history = data.item[samples.history_start[group] : samples.history_end[group]]
        assert row["group"] == group
        assert row["label"] == (column == 0)
        assert row["user"] == samples.user[group]
        assert row["history_length"] == len(history)
        assert row["repeat"] == (data.item[event] in history)
        assert row["item_known"] == (data.item[event] < data.sizes.items)
        assert row["user_known"] == (data.user[samples.user[group]] != UNKNOWN)
        assert row["score"] == pytest.approx(1 / (1 + np.exp(-row["logit"])), abs=1e-6)


def test_groups_are_described_alike_in_chunks_of_any_size(data, model, tmp_path, monkeypatch):
    resident, tables = ResidentLog.of(data), []
    for chunk in (scoring.CHUNK, 7):
        monkeypatch.setattr(scoring, "CHUNK", chunk)
        score_part(model, data, resident, "test", tmp_path / "scores.parquet")
        tables.append(pq.read_table(tmp_path / "scores.parquet"))
    whole, cut = tables
    # The sigmoid of the last few numbers of an array may differ in the last bit.
    np.testing.assert_allclose(whole["score"], cut["score"], rtol=1e-6)
    assert whole.drop_columns("score").equals(cut.drop_columns("score"))


def repeated(data, times):
    """The log with each test sample that many times."""
    arrays = {name: np.concatenate([array] * times) for name, array in vars(data.parts["test"]).items()}
    return replace(data, parts=data.parts | {"test": replace(data.parts["test"], **arrays)})


def test_the_memory_of_describing_does_not_grow_with_the_groups(data, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "CHUNK", 1000)
    peaks = []
    for times in (10, 50):
        many = repeated(data, times)
        logits = np.zeros((len(many.parts["test"]), 1 + data.settings.negatives_per_positive), np.float32)
        assert len(logits) > 2000
        monkeypatch.setattr(scoring, "predict", lambda *_, logits=logits: logits)
        tracemalloc.start()
        score_part(None, many, None, "test", tmp_path / "scores.parquet")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize("limit", [None, 5, 10**6])
def test_logits_are_those_of_the_groups_in_order(data, model, limit):
    resident = ResidentLog.of(data)
    model.eval()
    with torch.inference_mode():
        batches = [model(group).logits for group in scoring_batches(data, resident, "test", 64, limit)]
    logits = predict(model, data, resident, "test", limit)
    np.testing.assert_allclose(logits, torch.cat(batches), atol=1e-6)


def test_training_mode_is_restored(data, model):
    model.train()
    predict(model, data, ResidentLog.of(data), "test", limit=5)
    assert model.training
    model.eval()


def test_the_same_vocabulary_recodes_to_the_same_groups(folder, data):
    own = Vocabulary.load(folder)
    logged = LoggedIds.load(SequenceFolder(folder))
    recoded = recode(data, logged, own, data.settings.max_length, CPU)
    pairs = zip(
        scoring_batches(data, ResidentLog.of(data), "test", 64),
        scoring_batches(data, recoded, "test", 64),
        strict=True,
    )
    for expected, group in pairs:
        for field, other in zip(expected, group, strict=True):
            torch.testing.assert_close(field, other, rtol=0, atol=0)


def test_another_vocabulary_keeps_what_both_know(folder, data):
    own = Vocabulary.load(folder)
    half = own.items.slice(0, own.items.num_rows // 2)
    other = Vocabulary(half, own.categories, own.users)
    logged = LoggedIds.load(SequenceFolder(folder))
    recoded = recode(data, logged, other, 3, CPU)
    known = data.item < 2 + half.num_rows
    np.testing.assert_array_equal(recoded.item[known], data.item[known])
    assert (recoded.item[~known] == UNKNOWN).all()
    group = next(scoring_batches(data, recoded, "test", 64))
    samples = data.parts["test"]
    for row in range(64):
        recent = recoded.item[samples.history_start[row] : samples.history_end[row]][-3:]
        assert group.history_item[row, : len(recent)].tolist() == recent.tolist()
        assert group.length[row] == len(recent)


def test_what_only_the_model_knows_keeps_its_meaning(folder, data):
    own, logged = Vocabulary.load(folder), LoggedIds.load(SequenceFolder(folder))
    code, id_ = data.sizes.items, 10**6  # of an item that the fit part of the log does not hold
    item = np.array(data.item)
    item[5] = code
    seen = replace(logged, items=pa.concat_arrays([logged.items, pa.array([id_], logged.items.type)]))
    row = {**own.items.slice(0, 1).to_pylist()[0], "item_id": id_, "id": code}
    more = pa.concat_tables([own.items, pa.Table.from_pylist([row], schema=own.items.schema)])
    other = Vocabulary(more, own.categories, own.users)
    recoded = recode(replace(data, item=item), seen, other, 3, CPU)
    assert recoded.item[5] == code
    assert recode(replace(data, item=item), seen, own, 3, CPU).item[5] == UNKNOWN
