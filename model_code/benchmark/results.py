"""What a benchmark found: every row's numbers over the seeds, and its paired differences.

The best baseline is the one with the highest mean *validation* AUC of the kept passes, so that the test part,
on which it is then compared, has no say in the choice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model_code.benchmark.facts import Facts
from model_code.benchmark.paper import DEMINET, EXPERIMENTS, FIGURE_3A, TABLE_2, Experiment, display_name
from model_code.evaluation.seeds import SeedDifference, SeedSummary
from model_code.files import read_json, write_json
from model_code.settings import parse


@dataclass(frozen=True)
class Pass:
    """One pass over the fit part."""

    number: int  # from 1
    loss: float  # mean cross-entropy, fit part
    validation_auc: float
    validation_log_loss: float


@dataclass(frozen=True)
class CellNumbers:
    """The numbers of one cell, on the test part but for those of the validation part and of training."""

    label: str
    seed: int
    auc: float
    log_loss: float
    gauc: float | None  # None if no user has both classes
    normalized_entropy: float
    calibration_error: float
    validation_auc: float  # of the kept pass
    best_pass: int  # the kept one, from 1
    seconds: float  # of training, all passes
    samples_per_second: float
    parameters: int
    passes: tuple[Pass, ...]


@dataclass(frozen=True)
class Measures:
    """The numbers of a row over its seeds; each as in `CellNumbers`."""

    auc: SeedSummary
    log_loss: SeedSummary
    gauc: SeedSummary | None
    normalized_entropy: SeedSummary
    calibration_error: SeedSummary
    validation_auc: SeedSummary
    best_pass: SeedSummary
    seconds: SeedSummary
    samples_per_second: SeedSummary
    parameters: int


@dataclass(frozen=True)
class Gap:
    """One row minus another, on the same test samples."""

    auc: SeedDifference  # above zero: the first is better
    log_loss: SeedDifference  # below zero: the first is better


@dataclass(frozen=True)
class Row:
    """A model of the benchmark.

    Attributes:
        label: of it.
        settings: of the model.
        training: settings of its training that are not those of the common budget.
        tuned: see `model_code.benchmark.facts.Asked`.
        seeds: of the cells that have run; empty if none has.
        measures: None if none has run.
        over_baseline: it minus the best baseline; None for that one itself, or where one has not run.
        deminet_lead: DemiNet minus it; None for DemiNet itself, or where one has not run.
    """

    label: str
    settings: dict[str, Any]
    training: dict[str, Any]
    tuned: bool
    seeds: tuple[int, ...]
    measures: Measures | None
    over_baseline: Gap | None
    deminet_lead: Gap | None


@dataclass(frozen=True)
class Adjusted:
    """The p-values of a `Gap` after Holm's adjustment."""

    auc: float
    log_loss: float


@dataclass(frozen=True)
class Family:
    """Adjusted p-values of a table, by row: each column of p-values is one family of tests."""

    over_baseline: dict[str, Adjusted]
    deminet_lead: dict[str, Adjusted]


@dataclass(frozen=True)
class TestPart:
    """The samples that all cells were scored on."""

    samples: int
    positives: int
    users: int
    confidence: float  # of all intervals
    replicates: int  # resamples of users


@dataclass(frozen=True)
class Results:
    """All that tables and figures show, but for the analyses of trained models.

    Attributes:
        facts: what was run.
        test: None if no cell has run.
        rows: as asked for, in that order.
        cells: that have run.
        best_baseline: label; None if no baseline has run.
        families: by key of the experiment.
        attention_alone: "w/o SSL" minus "w/o DHA". The latter has no graph, so no views and no
            self-supervision either: this is what the attention gives by itself.
    """

    facts: Facts
    test: TestPart | None
    rows: tuple[Row, ...]
    cells: tuple[CellNumbers, ...]
    best_baseline: str | None
    families: dict[str, Family]
    attention_alone: Gap | None

    def row(self, label: str) -> Row:
        """The row of that label; an empty one if it was not asked for."""
        for row in self.rows:
            if row.label == label:
                return row
        return Row(label, {}, {}, False, (), None, None, None)

    def rows_of(self, experiment: Experiment) -> list[Row]:
        """The rows of a table, in its order, run or not.

        Those of Figure 3a are in order of K, and only what was asked for: DemiNet stands for one of the K's,
        whichever that is.
        """
        labels = [*experiment.labels, *others_of(experiment, self.rows)]
        rows = [self.row(label) for label in labels]
        if experiment == FIGURE_3A:
            rows = sorted((row for row in rows if "interests" in row.settings), key=interests)
        return rows

    @property
    def deminet(self) -> Row:
        """DemiNet's row."""
        return self.row(DEMINET)

    @property
    def cells_asked(self) -> int:
        """How many cells the grid has."""
        return len(self.facts.asked) * len(self.facts.seeds)

    def write(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> Results:
        """Read what `write` wrote; raises `SettingsError` on anything else."""
        return parse(cls, read_json(path), path.name)


def others_of(experiment: Experiment, rows: Iterable[Row]) -> list[str]:
    """Labels of the rows that the paper has in no table, popularity and a user's own: in Table 2, last."""
    if experiment != TABLE_2:
        return []
    known = {label for each in EXPERIMENTS for label in each.labels}
    return [row.label for row in rows if row.label not in known]


def interests(row: Row) -> int:
    """K of a variant of DemiNet."""
    return int(row.settings["interests"])


def name_in(row: Row, experiment: Experiment | None = None) -> str:
    """What a table calls a row."""
    if experiment == FIGURE_3A:
        return f"{display_name(DEMINET)}, K = {interests(row)}"
    return display_name(row.label, experiment)
