"""Cells that are trained within seconds."""

from __future__ import annotations

from pathlib import Path

from small_log import SMALL

from model_code.benchmark.cell import Cell
from model_code.benchmark.grid import Grid
from model_code.evaluation.evaluate import EvaluationSettings
from model_code.models.choice import ModelChoice
from model_code.training.settings import TrainingSettings

ROOT = Path(__file__).resolve().parents[3]


def small_cells(names, seeds, epochs=1):
    """A cell for each seed and model."""
    training = {"batch_size": 64, "epochs": epochs, "patience": epochs, "threads": 1, "device": "cpu"}
    return [
        Cell(
            choice=ModelChoice(name=name, settings=SMALL.get(name, {})),
            training=TrainingSettings(**training, seed=seed, checkpoint_seconds=0.0),
        )
        for seed in seeds
        for name in names
    ]


def grid_of(cells, data, store, workers=1):
    """Those cells as a grid."""
    return Grid(
        cells=cells,
        evaluation=EvaluationSettings(bootstrap_replicates=50),
        data=data,
        store=store,
        versions={cell.name: "1" for cell in cells},
        workers=workers,
    )
