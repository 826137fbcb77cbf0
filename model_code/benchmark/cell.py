"""One cell of a benchmark's grid: a model trained with one seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_code.bundle import Bundle
from model_code.evaluation.evaluate import Evaluation
from model_code.files import Folder
from model_code.models.choice import ModelChoice
from model_code.settings import settings
from model_code.training.settings import TrainingSettings


@settings
class Cell:
    """What to train.

    Attributes:
        choice: the model; its label names the row of the tables.
        training: how to train it, the seed included.
    """

    choice: ModelChoice
    training: TrainingSettings

    @property
    def name(self) -> str:
        """Label and seed, for people and for folders."""
        return f"{self.choice.label}-seed{self.training.seed}"


@dataclass(frozen=True)
class CellResult:
    """What is kept of a finished cell for tables and figures."""

    label: str
    model: str  # name in the table of models
    seed: int
    evaluation: Evaluation  # on the test part; replicates of all cells are of the same draws of users
    history: tuple[dict[str, Any], ...]  # one record a pass: see `model_code.training.loop.fit`
    training: dict[str, Any]  # settings, device, processes, threads, parameters


@dataclass(frozen=True)
class CellFolder(Folder):
    """A handle to the folder of a cell: finished once it holds the evaluation, which is written last.

    Attributes:
        measure: fingerprint of what the evaluation depends on beside the scores; however often that changes,
            a model is trained and scored once.
    """

    measure: str = ""

    @property
    def bundle(self) -> Bundle:
        """The trained model."""
        return Bundle(self.path / "bundle")

    @property
    def scores(self) -> Path:
        """The table of scored test samples."""
        return self.path / "scores.parquet"

    @property
    def evaluation(self) -> Path:
        """The evaluation, as JSON."""
        return self.path / f"evaluation{self.measure}.json"

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.evaluation.exists()

    @property
    def seconds(self) -> float:
        """How long its training took."""
        return float(self.bundle.history[-1]["seconds"])

    def result(self, cell: Cell) -> CellResult:
        """Read what tables and figures need of it."""
        bundle = self.bundle
        return CellResult(
            label=cell.choice.label,
            model=cell.choice.name,
            seed=cell.training.seed,
            evaluation=Evaluation.read(self.evaluation),
            history=tuple(bundle.history),
            training=dict(bundle.manifest["training"]),
        )
