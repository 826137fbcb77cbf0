"""Sequences and cells -> all cells trained and evaluated."""

from __future__ import annotations

import inspect
from typing import Annotated

from zenml import step
from zenml.logger import get_logger

from model_code.benchmark.cell import Cell
from model_code.benchmark.grid import Grid
from model_code.benchmark.kept import GridFolder
from model_code.benchmark.paper import DEMINET
from model_code.evaluation.evaluate import EvaluationSettings
from model_code.models.table import MODELS, entry
from model_code.sequences.data import SequenceFolder
from steps.artifacts import FolderMaterializer, folder_hash, output_folder
from steps.caching import code_version
from steps.grid_progress import GridBar
from steps.measure import measured
from steps.train import CHECKPOINTS

logger = get_logger(__name__)

EVALUATE = "model_code.evaluation.evaluate"
MODEL_MODULES = frozenset(inspect.getmodule(known.model).__name__ for known in MODELS.values())  # type: ignore[union-attr]


@step(enable_cache=False, output_materializers=FolderMaterializer)
def run_grid(
    sequences: SequenceFolder, cells: list[Cell], evaluation: EvaluationSettings, workers: int
) -> Annotated[GridFolder, "benchmark_grid"]:
    """Train and evaluate every cell; those that an earlier run has finished are found in ``checkpoints/``.

    So this step is not cached: it looks for what is missing. Cells that fail are for the report to tell.
    """
    with measured() as notes, GridBar() as bar:
        data = folder_hash(sequences.path)
        grid = Grid(
            cells=cells,
            evaluation=evaluation,
            data=sequences.path,
            store=CHECKPOINTS / "benchmark",
            versions={cell.name: f"{data} {cell_version(cell)}" for cell in cells},
            evaluation_version=code_version(EVALUATE),
            workers=workers,
        )
        outcome = grid.run(bar)
        kept = GridFolder(output_folder())
        kept.keep(outcome, DEMINET)
        notes.update(cells=len(cells), failed=outcome.failures, workers=workers)
    return kept


def cell_version(cell: Cell) -> str:
    """Version of the code that a cell's scores depend on: a change of another model leaves it as it is."""
    own = inspect.getmodule(entry(cell.choice.name).model).__name__  # type: ignore[union-attr]
    others = MODEL_MODULES - {own} | {"model_code.models.table", EVALUATE}
    return code_version("model_code.benchmark.work", own, without=others)
