"""What a benchmark was: data, rows asked for, budget, machine, and versions of code and data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model_code.benchmark.paper import PaperDataset
from model_code.models.choice import ModelChoice


@dataclass(frozen=True)
class Machine:
    """What the cells were trained on."""

    processor: str
    cores: int
    threads: int  # of a cell
    torch: str  # version
    device: str = "cpu"
    workers: int = 1  # cells trained at a time


@dataclass(frozen=True)
class Asked:
    """A row that was asked for, whether its cells have run or not.

    Attributes:
        label: of the row.
        model: its name in the table of models.
        settings: the model's, complete.
        tuned: whether they were searched for on this log's validation part; else they are what the
            configuration says.
    """

    label: str
    model: str
    settings: dict[str, Any]
    tuned: bool = False

    @classmethod
    def of(cls, choice: ModelChoice, tuned: bool = False) -> Asked:
        """The row of a model."""
        return cls(choice.label, choice.name, dict(choice.settings), tuned)


@dataclass(frozen=True)
class Facts:
    """All that is stated beside the numbers.

    Attributes:
        dataset: its name.
        paper_dataset: which of the paper's data sets it is, whole and prepared as the paper says; None for
            any other, slices of the paper's included: their numbers are not comparable.
        asked: the rows of the grid, each to be trained with every seed.
        seeds: of training.
        users: of the log, after its filter.
        items: likewise.
        categories: likewise.
        samples: by part ("fit", "validation", "test"), positives and negatives together.
        preparation: how samples were made (`SequenceSettings` and the like), by dotted name.
        budget: training settings that all rows share; what a row trained with instead stands with the row.
        machine: where.
        commit: of the code.
        command: that a reader can repeat.
        data_version: of the raw log.
        date: of the run, as ISO 8601.
    """

    dataset: str
    paper_dataset: PaperDataset | None
    asked: tuple[Asked, ...]
    seeds: tuple[int, ...]
    users: int
    items: int
    categories: int
    samples: dict[str, int]
    preparation: dict[str, Any]
    budget: dict[str, Any]
    machine: Machine
    commit: str
    command: str
    data_version: str
    date: str
