"""Results as CSV, for spreadsheets and other people's statistics."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path

from model_code.benchmark.paper import EXPERIMENTS, published
from model_code.benchmark.results import Adjusted, CellNumbers, Gap, Measures, Results, Row
from model_code.evaluation.seeds import SeedSummary
from model_code.files import replacing

Value = str | float | int | None


def write_cells(results: Results, path: Path) -> None:
    """One line for each cell that has run, every number of it; passes are in the JSON."""
    names = [field.name for field in fields(CellNumbers) if field.name != "passes"]
    _write(path, names, ({name: getattr(cell, name) for name in names} for cell in results.cells))


def write_rows(results: Results, path: Path) -> None:
    """One line for each row that was asked for, all its numbers; what has not run is empty."""
    lines = [_line(results, row) for row in results.rows]
    names = list(dict.fromkeys(name for line in lines for name in line))
    _write(path, names, lines)


def _line(results: Results, row: Row) -> dict[str, Value]:
    return {
        "label": row.label,
        "seeds": len(row.seeds),
        "seeds_asked": len(results.facts.seeds),
        "tuned": str(row.tuned).lower(),
        **_measures(row.measures),
        **_gap("over_baseline", row.over_baseline),
        **_gap("deminet_lead", row.deminet_lead),
        **_adjusted(results, row.label),
        **_paper(results, row.label),
    }


def _measures(measures: Measures | None) -> dict[str, Value]:
    line: dict[str, Value] = {}
    for field in fields(Measures):
        value = getattr(measures, field.name) if measures is not None else None
        if field.name == "parameters":
            line[field.name] = value
        else:
            summary: SeedSummary | None = value
            line[f"{field.name}_mean"] = summary.mean if summary else None
            line[f"{field.name}_deviation"] = summary.deviation if summary else None
    return line


def _gap(name: str, gap: Gap | None) -> dict[str, Value]:
    parts = ("value", "low", "high", "p_value", "standard_error", "seeds")
    return {
        f"{name}_{metric}_{part}": asdict(gap)[metric][part] if gap is not None else None
        for metric in ("auc", "log_loss")
        for part in parts
    }


def _adjusted(results: Results, label: str) -> dict[str, Value]:
    """Adjusted p-values by table; a row may stand in several."""
    line: dict[str, Value] = {}
    for experiment in EXPERIMENTS:
        family = results.families[experiment.key]
        sides: Mapping[str, Mapping[str, Adjusted]] = {
            "over_baseline": family.over_baseline,
            "deminet_lead": family.deminet_lead,
        }
        for side, adjusted in sides.items():
            own = adjusted.get(label)
            line[f"{experiment.key}_{side}_auc_holm"] = own.auc if own else None
            line[f"{experiment.key}_{side}_log_loss_holm"] = own.log_loss if own else None
    return line


def _paper(results: Results, label: str) -> dict[str, Value]:
    theirs = published(label, results.facts.paper_dataset)
    return {
        "paper_auc": theirs.auc if theirs else None,
        "paper_log_loss": theirs.log_loss if theirs else None,
    }


def _write(path: Path, names: list[str], lines: Iterable[Mapping[str, Value]]) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
