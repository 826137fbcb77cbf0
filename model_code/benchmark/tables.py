"""The tables of the paper as lines of results: what the page and the Markdown both show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from model_code.benchmark.paper import TABLE_2, TABLE_3, Experiment, Published, published
from model_code.benchmark.results import Adjusted, Gap, Results, Row, name_in
from model_code.benchmark.wording import LEVEL, STRICT_LEVEL, remarks


@dataclass(frozen=True)
class Tested:
    """A paired difference, its p-values within a table, and what they say of its first row."""

    gap: Gap
    p: Adjusted

    @property
    def auc_outcome(self) -> str:
        """ "better", "worse" or "within noise"."""
        return _outcome(self.gap.auc.value > 0, self.p.auc)

    @property
    def log_loss_outcome(self) -> str:
        """ "better", "worse" or "within noise"."""
        return _outcome(self.gap.log_loss.value < 0, self.p.log_loss)


@dataclass(frozen=True)
class Line:
    """A row of a table.

    Attributes:
        row: its numbers; without measures it has not run.
        name: of it in this table.
        remarks: what must be known of it.
        best_auc: whether it has the highest mean AUC of the table.
        best_log_loss: whether it has the lowest mean Log Loss.
        over_baseline: it minus the best baseline.
        deminet_lead: DemiNet minus it.
        paper: what the paper reports.
    """

    row: Row
    name: str
    remarks: list[str]
    best_auc: bool
    best_log_loss: bool
    over_baseline: Tested | None
    deminet_lead: Tested | None
    paper: Published | None

    @property
    def auc_mark(self) -> str:
        """Stars where its AUC is significantly above the best baseline's, by more seeds than one."""
        tested = self.over_baseline
        return _stars(tested.auc_outcome, tested.p.auc) if tested and tested.gap.auc.seeds > 1 else ""

    @property
    def log_loss_mark(self) -> str:
        """Stars where its Log Loss is significantly below the best baseline's, by more seeds than one."""
        tested = self.over_baseline
        seeds = tested.gap.log_loss.seeds if tested else 0
        return _stars(tested.log_loss_outcome, tested.p.log_loss) if tested and seeds > 1 else ""


def lines(results: Results, experiment: Experiment) -> list[Line]:
    """The lines of a table, in its order, run or not."""
    rows, family = results.rows_of(experiment), results.families[experiment.key]
    paper_dataset = results.facts.paper_dataset if experiment in (TABLE_2, TABLE_3) else None
    measured = [row.measures for row in rows if row.measures is not None]
    highest = max((own.auc.mean for own in measured), default=None)
    lowest = min((own.log_loss.mean for own in measured), default=None)
    return [
        Line(
            row=row,
            name=name_in(row, experiment),
            remarks=remarks(results, row),
            best_auc=row.measures is not None and row.measures.auc.mean == highest,
            best_log_loss=row.measures is not None and row.measures.log_loss.mean == lowest,
            over_baseline=_tested(row.over_baseline, family.over_baseline.get(row.label)),
            deminet_lead=_tested(row.deminet_lead, family.deminet_lead.get(row.label)),
            paper=published(row.label, paper_dataset),
        )
        for row in rows
    ]


def shows_something(table: Iterable[Line]) -> bool:
    """Whether a table has two rows that have run: one alone compares with nothing."""
    return sum(line.row.measures is not None for line in table) > 1


def _tested(gap: Gap | None, p: Adjusted | None) -> Tested | None:
    return None if gap is None or p is None else Tested(gap, p)


def _outcome(better: bool, p: float) -> str:
    if p >= LEVEL:
        return "within noise"
    return "better" if better else "worse"


def _stars(outcome: str, p: float) -> str:
    if outcome != "better":
        return ""
    return "**" if p < STRICT_LEVEL else "*"
