"""Several processes train what one trains."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_log import train_small

from model_code import replicas
from model_code.training.launch import WorkersError

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).parent


def test_collectives():
    command = ["torch.distributed.run", "--standalone", "--nproc-per-node", "3"]
    checks = ["check_batch_norm", "check_rows", "check_flags_and_means", "check_batch_mean"]
    subprocess.run(
        [sys.executable, "-m", *command, str(HERE / "together.py"), *checks],
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}"},
        check=True,
    )


def test_alone_nothing_is_shared():
    assert (replicas.count(), replicas.rank()) == (1, 0)
    assert replicas.shard(7) == (0, 7, 7, 1)
    assert replicas.any_of(True, False) == [True, False]
    assert replicas.of_first(lambda: "here") == "here"


def weights_of(bundle):
    return load_file(bundle.path / "model.safetensors")


def assert_same_weights(first, second, tolerance=2e-4):
    for name, weights in weights_of(first).items():
        torch.testing.assert_close(weights_of(second)[name], weights, rtol=1e-3, atol=tolerance, msg=name)


def assert_same_course(first, second, tolerance=2e-4):
    """Rounding differs, and grows with the steps: training is chaotic."""
    for one, other in zip(first.history, second.history, strict=True):
        assert one["samples"] == other["samples"]
        for name in ("loss_total", "loss_cross_entropy", "validation_auc", "validation_log_loss"):
            assert one[name] == pytest.approx(other[name], abs=tolerance), name


SLOW = pytest.mark.slow  # each starts two processes more


@pytest.mark.parametrize(
    "name", ["deminet", pytest.param("din", marks=SLOW), pytest.param("dmin", marks=SLOW)]
)
def test_two_processes_train_what_one_trains(data_folder, tmp_path, name):
    bundles = [
        train_small(
            data_folder,
            tmp_path / str(processes),
            tmp_path / "checkpoint",
            name=name,
            processes=processes,
            epochs=2,
            batch_size=68,  # 17 groups: shards differ in size
        )
        for processes in (1, 2)
    ]
    assert bundles[1].manifest["training"]["processes"] == 2
    assert_same_course(*bundles)
    # A unit of DMIN stands at the kink of its ReLU: 1e-7 of the learning rate moves statistics by 6e-4.
    assert_same_weights(*bundles, tolerance=1e-3 if name == "dmin" else 2e-4)
    assert not (tmp_path / "checkpoint").exists()


def test_rows_that_several_processes_read_are_updated_as_the_whole_table(data_folder, tmp_path):
    rows, dense = (
        train_small(
            data_folder,
            tmp_path / str(processes),
            tmp_path / "checkpoint",
            name="din",
            processes=processes,
            row_updates_from=row_updates_from,
        )
        for processes, row_updates_from in ((2, 1), (1, None))
    )
    assert_same_course(rows, dense)
    assert_same_weights(rows, dense)


def start(data_folder, folder, **settings):
    """Train in a process of its own that saves after every step; return once it is in its second epoch."""
    script = [
        sys.executable,
        str(HERE / "small_log.py"),
        *map(str, (data_folder, folder / "bundle", folder / "checkpoint")),
    ]
    process = subprocess.Popen(
        [*script, json.dumps(settings)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if line.startswith("1 "):
            return process
    pytest.fail(process.stderr.read())


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1)])
def test_a_stopped_run_goes_on_with_another_number_of_processes(data_folder, tmp_path, before, after):
    # DIN is smooth. DemiNet has LeakyReLUs: when rounding moves an input across 0, a gradient makes a step,
    # after which two runs part.
    settings = {"name": "din", "epochs": 4, "patience": 4, "row_updates_from": 1}
    whole = train_small(data_folder, tmp_path / "whole", tmp_path / "other", **settings)
    process = start(data_folder, tmp_path, processes=before, **settings)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) != 0
    assert "run again to go on" in process.stderr.read()
    assert (tmp_path / "checkpoint").exists()
    epochs = []
    resumed = train_small(
        data_folder,
        tmp_path / "bundle",
        tmp_path / "checkpoint",
        report=lambda progress: epochs.append(progress.epoch),
        processes=after,
        **settings,
    )
    assert epochs[0] >= 1, "the resumed run began anew"
    assert_same_course(resumed, whole)
    assert_same_weights(resumed, whole)


def test_the_error_of_a_process_is_told(data_folder, tmp_path):
    with pytest.raises(WorkersError, match=r"lower training.learning_rate \(now 1e\+30\)"):
        train_small(data_folder, tmp_path / "bundle", tmp_path / "c", processes=2, learning_rate=1e30)
