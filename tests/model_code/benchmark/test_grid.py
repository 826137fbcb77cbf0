"""A grid of small cells: what is finished is kept, and one that fails does not cost the others."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from small_cells import ROOT, grid_of, small_cells

from model_code.benchmark.grid import _last_words
from model_code.evaluation.evaluate import Evaluation, EvaluationSettings


def finish(grid):
    seen = []
    finished, failures = grid.run(seen.append)
    assert failures == {}
    return {cell.name: folder for cell, folder in finished}, seen


def test_finishes_every_cell_and_then_finds_them(data_folder, tmp_path):
    cells = small_cells(("din", "popularity"), seeds=(1, 2))
    grid = grid_of(cells, data_folder, tmp_path, workers=2)
    folders, seen = finish(grid)
    assert list(folders) == [cell.name for cell in cells]
    assert (seen[-1].cells, seen[-1].finished, seen[-1].seconds_left) == (4, 4, 0)
    results = [folders[cell.name].result(cell) for cell in cells]
    assert [(result.label, result.seed) for result in results] == [
        ("din", 1), ("popularity", 1), ("din", 2), ("popularity", 2),
    ]  # fmt: skip
    assert len({result.evaluation.samples_fingerprint for result in results}) == 1
    assert results[0].evaluation.metrics.auc != results[2].evaluation.metrics.auc
    times = {name: folder.evaluation.stat().st_mtime_ns for name, folder in folders.items()}
    again, seen = finish(grid)
    assert {name: folder.evaluation.stat().st_mtime_ns for name, folder in again.items()} == times
    assert seen[0].finished == 4


def test_a_cell_scores_as_the_model_trained_alone(data_folder, tmp_path):
    from small_log import train_small

    [cell] = small_cells(("din",), seeds=(1,))
    folders, _ = finish(grid_of([cell], data_folder, tmp_path))
    alone = train_small(
        data_folder, tmp_path / "alone", tmp_path / "checkpoint", name="din", epochs=1, seed=1
    )
    own = (folders[cell.name].bundle.path / "model.safetensors").read_bytes()
    assert own == (alone.path / "model.safetensors").read_bytes()


def test_what_changes_a_result_has_a_folder_of_its_own(data_folder, tmp_path):
    [cell] = small_cells(("din",), seeds=(1,))
    grid = grid_of([cell], data_folder, tmp_path)
    slower = replace(cell, training=replace(cell.training, checkpoint_seconds=5.0))
    faster = replace(cell, training=replace(cell.training, learning_rate=0.01))
    assert grid.folder(cell) == grid.folder(slower)
    newer = replace(grid, versions={cell.name: "other code"})
    assert len({grid.folder(cell), grid.folder(faster), newer.folder(cell)}) == 3


def test_another_evaluation_trains_nothing(data_folder, tmp_path):
    grid = grid_of(small_cells(("din",), seeds=(1,)), data_folder, tmp_path)
    [first] = finish(grid)[0].values()
    trained = (first.bundle.path / "model.safetensors").stat().st_mtime_ns
    scored = first.scores.stat().st_mtime_ns
    for other in (
        replace(grid, evaluation=EvaluationSettings(bootstrap_replicates=60)),
        replace(grid, evaluation_version="2"),
    ):
        [folder] = finish(other)[0].values()
        assert folder.path == first.path
        assert folder.evaluation != first.evaluation
        assert Evaluation.read(folder.evaluation).settings == other.evaluation
        assert (folder.bundle.path / "model.safetensors").stat().st_mtime_ns == trained
        assert folder.scores.stat().st_mtime_ns == scored


def test_a_cell_that_fails_is_named_after_the_others_are_finished(data_folder, tmp_path):
    good, bad = small_cells(("popularity", "din"), seeds=(1,))
    bad = replace(bad, training=replace(bad.training, learning_rate=1e30))
    grid = grid_of([bad, good], data_folder, tmp_path)
    finished, failures = grid.run(lambda progress: None)
    assert [cell for cell, _ in finished] == [good]
    assert list(failures) == ["din-seed1"]
    assert failures["din-seed1"].startswith("TrainingDivergedError: ")
    assert not grid.folder(bad).finished


def test_a_progress_bar_that_breaks_stops_the_grid(data_folder, tmp_path):
    grid = grid_of(small_cells(("din", "deminet"), seeds=(1, 2), epochs=50), data_folder, tmp_path)

    def report(progress):
        raise OSError("the terminal is gone")

    with pytest.raises(OSError, match="the terminal is gone"):
        grid.run(report)
    assert not any(grid.folder(cell).finished for cell in grid.cells)


def test_a_worker_that_is_killed_is_named(data_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert grid_of(small_cells(("din",), seeds=(1,)), data_folder, tmp_path).run(lambda progress: None) == (
        [],
        {"din-seed1": "exit code 1"},
    )
    assert _last_words(-9, tmp_path / "none") == "killed by SIGKILL; for want of memory?"


def test_a_grid_that_is_stopped_goes_on_from_its_checkpoints(data_folder, tmp_path):
    cells = small_cells(("din",), seeds=(1,), epochs=5)
    grid = grid_of(cells, data_folder, tmp_path / "stopped")
    code = (
        "import sys; from pathlib import Path; from small_cells import *\n"
        "cells = small_cells(('din',), seeds=(1,), epochs=5)\n"
        "grid_of(cells, Path(sys.argv[1]), Path(sys.argv[2])).run(lambda progress: None)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(data_folder), str(tmp_path / "stopped")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, *sys.path)))},
        stderr=subprocess.PIPE,
        text=True,
    )
    checkpoint = grid.folder(cells[0]).path / "checkpoint.safetensors"
    _wait_for(checkpoint)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode
    assert "the grid was stopped; run again to go on" in errors
    assert checkpoint.exists()
    assert not grid.folder(cells[0]).finished

    folders, _ = finish(grid)
    straight, _ = finish(grid_of(cells, data_folder, tmp_path / "straight"))
    stopped, expected = (Evaluation.read(next(iter(f.values())).evaluation) for f in (folders, straight))
    assert stopped == expected


def _wait_for(path: Path) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.05)
