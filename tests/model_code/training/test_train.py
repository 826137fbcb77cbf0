"""Training as a whole: what is learned, resumed, stopped and refused."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from small_log import digest, train_small

from model_code.evaluation.metrics import auc
from model_code.scoring import labels_like, predict, sigmoid
from model_code.sequences.batches import ResidentLog
from model_code.sequences.data import SequenceData
from model_code.settings import SettingsError
from model_code.training.checkpoint import CheckpointError
from model_code.training.loop import TrainingDivergedError

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def unbroken(data_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    return train_small(data_folder, folder / "bundle", folder / "checkpoint")


def start(data_folder, folder):
    """Train in a process of its own that saves after every step; return once it is in its second epoch."""
    script = ROOT / "tests/model_code/training/small_log.py"
    command = [
        sys.executable,
        str(script),
        str(data_folder),
        str(folder / "bundle"),
        str(folder / "checkpoint"),
        "{}",
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if line.startswith("1 "):
            return process
    pytest.fail(process.stderr.read())


def test_learns_and_leaves_no_checkpoint(data_folder, unbroken):
    data = SequenceData.load(data_folder)
    logits = predict(unbroken.load_model(), data, ResidentLog.of(data), "test")
    assert auc(labels_like(logits).ravel(), logits.ravel()) > 0.8
    assert not (unbroken.path.parent / "checkpoint").exists()


def test_same_seed_same_weights_other_seed_others(data_folder, unbroken, tmp_path):
    again = train_small(data_folder, tmp_path / "again", tmp_path / "a")
    other = train_small(data_folder, tmp_path / "other", tmp_path / "b", seed=2)
    weights = [digest(bundle.path / "model.safetensors") for bundle in (unbroken, again, other)]
    assert weights[0] == weights[1] != weights[2]


def test_killed_run_goes_on_to_the_weights_of_an_unbroken_one(data_folder, unbroken, tmp_path):
    process = start(data_folder, tmp_path)
    process.kill()
    process.wait()
    assert not (tmp_path / "bundle").exists()
    epochs_and_batches = []
    resumed = train_small(
        data_folder,
        tmp_path / "bundle",
        tmp_path / "checkpoint",
        report=lambda progress: epochs_and_batches.append((progress.epoch, progress.batch)),
    )
    assert epochs_and_batches[0][0] >= 1, "the resumed run began anew"
    assert digest(resumed.path / "model.safetensors") == digest(unbroken.path / "model.safetensors")
    for first, second in zip(resumed.history, unbroken.history, strict=True):
        assert {**first, "seconds": 0} == pytest.approx({**second, "seconds": 0}, abs=0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_leaves_a_checkpoint_of_whole_steps(data_folder, unbroken, tmp_path, number):
    process = start(data_folder, tmp_path)
    process.send_signal(number)
    assert process.wait(timeout=60) != 0
    assert "run again to go on" in process.stderr.read()
    resumed = train_small(data_folder, tmp_path / "bundle", tmp_path / "checkpoint")
    assert digest(resumed.path / "model.safetensors") == digest(unbroken.path / "model.safetensors")


def test_loss_that_is_not_finite_stops_with_a_remedy(data_folder, tmp_path):
    with pytest.raises(TrainingDivergedError, match=r"epoch 1.*lower training.learning_rate \(now 1e\+30\)"):
        train_small(data_folder, tmp_path / "bundle", tmp_path / "checkpoint", learning_rate=1e30)
    assert not (tmp_path / "bundle").exists()


def test_stops_early_and_keeps_the_best_weights(data_folder, tmp_path):
    # A learning rate far too large, so that validation goes up and down.
    bundle = train_small(
        data_folder, tmp_path / "bundle", tmp_path / "checkpoint", learning_rate=0.3, epochs=30, patience=2
    )
    aucs = [record["validation_auc"] for record in bundle.history]
    best = int(np.argmax(aucs))
    assert len(aucs) == best + 1 + 2 < 30
    data = SequenceData.load(data_folder)
    logits = predict(bundle.load_model(), data, ResidentLog.of(data), "validation")
    scores = sigmoid(logits).ravel()  # as validation does: extreme logits tie
    assert auc(labels_like(logits).ravel(), scores) == pytest.approx(aucs[best], abs=1e-9)


def test_samples_per_epoch_caps_a_pass(data_folder, tmp_path):
    bundle = train_small(
        data_folder, tmp_path / "bundle", tmp_path / "checkpoint", samples_per_epoch=100, epochs=2
    )
    assert [record["samples"] for record in bundle.history] == [400, 800]  # four candidates a group


def test_checkpoint_of_another_run_is_refused(data_folder, tmp_path):
    process = start(data_folder, tmp_path)
    process.kill()
    process.wait()
    checkpoint = tmp_path / "checkpoint"
    checkpoint.write_bytes(checkpoint.read_bytes().replace(b'"run":"test"', b'"run":"tost"'))
    with pytest.raises(CheckpointError, match="other data or settings; delete it"):
        train_small(data_folder, tmp_path / "bundle", checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=f"{checkpoint}: cannot be read"):
        train_small(data_folder, tmp_path / "bundle", checkpoint)


def test_unknown_device_is_refused_by_name(data_folder, tmp_path):
    with pytest.raises(SettingsError, match=r"training.device = 'gpu'"):
        train_small(data_folder, tmp_path / "bundle", tmp_path / "checkpoint", device="gpu")


def test_training_imports_no_orchestrator_and_no_engine():
    """Torch, numpy, pyarrow and safetensors are enough."""
    barred = ["zenml", "great_expectations", "evidently", "dvc", "pandas", "pydantic", "ibis", "duckdb"]
    code = f"import sys; sys.modules.update(dict.fromkeys({barred!r})); import model_code.training.train"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_interrupt_during_the_last_validation_is_not_lost(data_folder, tmp_path):
    """Ctrl-C while a pass is being validated stops the run once the pass is noted."""
    calls = []

    def interrupt_at_the_end(progress):
        calls.append(progress)
        if progress.batch == progress.batches:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match="run again to go on"):
        train_small(
            data_folder, tmp_path / "bundle", tmp_path / "checkpoint", report=interrupt_at_the_end, epochs=1
        )
    assert not (tmp_path / "bundle").exists()
    assert (tmp_path / "checkpoint").exists()


def test_equal_auc_goes_on_while_log_loss_falls(data_folder, tmp_path):
    """Popularity's ranking never changes; its calibration must be learned all the same."""
    bundle = train_small(
        data_folder, tmp_path / "bundle", tmp_path / "checkpoint", name="popularity", epochs=8, patience=1
    )
    losses = [record["validation_log_loss"] for record in bundle.history]
    assert len(losses) == 8
    assert losses[-1] < losses[0]


def test_history_is_json(unbroken):
    records = json.loads((unbroken.path / "history.json").read_text())
    assert [record["epoch"] for record in records] == [1, 2, 3]
    assert torch.isfinite(torch.tensor([record["loss_self_supervision"] for record in records])).all()
