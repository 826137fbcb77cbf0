"""The penalty on embeddings, and their dropout: what they add, and that processes agree on them."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from model_code.models.choice import ModelChoice
from model_code.models.table import build
from model_code.sequences.batches import FitBatches, ResidentLog
from model_code.sequences.data import SequenceData
from model_code.settings import SettingsError
from model_code.training.job import Job
from model_code.training.launch import run
from model_code.training.penalty import embedding_penalty, looked_up
from model_code.training.settings import TrainingSettings

SETTINGS = {"user_embedding": True, "hidden": [16, 8], "unit_hidden": [8]}


def first_group(data):
    batches = FitBatches(data, ResidentLog.of(data), groups_per_batch=5, seed=1)
    return next(iter(batches.epoch(0)))


def train(data_folder, folder, dropout=0.0, **settings):
    defaults = {"batch_size": 68, "epochs": 2, "threads": 1, "device": "cpu"}
    job = Job(
        choice=ModelChoice(name="din", settings={**SETTINGS, "embedding_dropout": dropout}),
        training=TrainingSettings(**{**defaults, **settings}),
        data=str(data_folder),
        out=str(folder / "bundle"),
        checkpoint=str(folder / "checkpoint"),
        run="test",
    )
    return run(job, lambda progress: None)


def weights_of(bundle):
    return load_file(bundle.path / "model.safetensors")


def assert_same_weights(first, second):
    for name, weights in weights_of(first).items():
        torch.testing.assert_close(weights_of(second)[name], weights, rtol=1e-3, atol=2e-4, msg=name)


def test_penalty_is_half_the_squares_of_every_look_up_over_the_groups(data_folder):
    data = SequenceData.load(data_folder)
    choice = ModelChoice(name="din", settings=SETTINGS)
    model, group = build("din", choice.typed_settings, data.shape).double(), first_group(data)
    with looked_up(model) as vectors:
        model(group)
    expected = 0.0
    for b, length in enumerate(group.length.tolist()):
        expected += model.users.weight[group.user[b]].square().sum()
        for item in [*group.history_item[b, :length], *group.candidate_item[b]]:
            expected += model.nodes.item.weight[item].square().sum()
        for category in [*group.history_category[b, :length], *group.candidate_category[b]]:
            expected += model.nodes.category.weight[category].square().sum()
    penalty = embedding_penalty(vectors, len(group.length))
    torch.testing.assert_close(penalty, expected / (2 * len(group.length)), rtol=1e-9, atol=0)
    kept = len(vectors)
    model(group)
    assert len(vectors) == kept, "the hooks stay"


def test_decay_shortens_vectors_and_is_reported(data_folder, tmp_path):
    plain, decayed = (
        train(data_folder, tmp_path / str(decay), embedding_weight_decay=decay) for decay in (0.0, 0.1)
    )
    norms = [weights_of(bundle)["nodes.item.weight"].norm() for bundle in (plain, decayed)]
    assert norms[1] < 0.8 * norms[0]
    assert "loss_embedding_penalty" not in plain.history[0]
    for record in decayed.history:
        parts = record["loss_cross_entropy"] + 0.1 * record["loss_embedding_penalty"]
        assert record["loss_total"] == pytest.approx(parts, rel=1e-5)


def test_decay_of_rows_is_that_of_whole_tables(data_folder, tmp_path):
    bundles = [
        train(data_folder, tmp_path / str(rows), row_updates_from=rows, embedding_weight_decay=0.01)
        for rows in (None, 1)
    ]
    assert_same_weights(*bundles)


@pytest.mark.parametrize("row_updates_from", [None, 1])
def test_two_processes_drop_and_decay_as_one(data_folder, tmp_path, row_updates_from):
    bundles = [
        train(
            data_folder,
            tmp_path / str(processes),
            dropout=0.3,
            embedding_weight_decay=0.01,
            row_updates_from=row_updates_from,
            processes=processes,
        )
        for processes in (1, 2)
    ]
    assert_same_weights(*bundles)
    for one, other in zip(bundles[0].history, bundles[1].history, strict=True):
        assert one["loss_embedding_penalty"] == pytest.approx(other["loss_embedding_penalty"], rel=1e-3)


def test_dropout_changes_what_is_learned_and_repeats(data_folder, tmp_path):
    plain, first, again = (
        train(data_folder, tmp_path / name, dropout=rate, epochs=1)
        for name, rate in (("plain", 0.0), ("first", 0.3), ("again", 0.3))
    )
    name = "nodes.item.weight"
    assert torch.equal(weights_of(first)[name], weights_of(again)[name])
    assert not torch.equal(weights_of(first)[name], weights_of(plain)[name])


def test_negative_decay_is_refused():
    with pytest.raises(SettingsError, match=r"training.embedding_weight_decay = -1: should be 0 or more"):
        TrainingSettings(embedding_weight_decay=-1)
