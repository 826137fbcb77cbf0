"""The benchmark report: the paper's tables and figures on one data set, how sure they are, what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model_code.analysis.analyse import Analysis
from model_code.benchmark import wording
from model_code.benchmark.facts import Facts
from model_code.benchmark.paper import EXPERIMENTS, FIGURE_3A, TABLE_2, TABLE_3, Experiment, display_name
from model_code.benchmark.results import Results
from model_code.benchmark.tables import Line, lines, shows_something
from model_code.reports import analysis_figures
from model_code.reports import benchmark_figures as figures
from model_code.reports.comparison_figures import Drawing
from model_code.reports.page import MISSING, count, percent, render

_LEADS = {
    "table_2": "Group 1 of the paper's Table 2 are other models, the baselines; group 2, from Hard-Routing"
    " on, is DemiNet with another way to aggregate its experts.",
    "table_3": "DemiNet with one part left out: the dependency-aware attention (DHA), the self-supervision"
    " (SSL), the several interest experts (IE).",
    "figure_3a": "The same DemiNet with fewer or more interests. The paper prints no numbers for it.",
    "figure_3b": "The same DemiNet with another operator on its graph. The paper prints no numbers for it.",
}


@dataclass(frozen=True)
class Section:
    """A table of the paper on the page."""

    experiment: Experiment
    lead: str
    lines: list[Line]
    with_paper: bool
    with_baseline: bool
    drawing: Drawing
    note: str


def render_benchmark(results: Results, analysis: Analysis | None, out: Path) -> None:
    """Write the report to ``out`` as one HTML file that opens offline.

    Args:
        results: of the cells that have run.
        analysis: of a trained DemiNet; None leaves its figures out.
        out: the file.
    """
    context = {
        "results": results,
        "facts": results.facts,
        "verdict": wording.verdict(results),
        "notes": wording.notes(results),
        "overview": _overview(results),
        "sections": _sections(results),
        "not_run": [
            f"{experiment.number} ({experiment.title.lower()})"
            for experiment in EXPERIMENTS
            if not shows_something(lines(results, experiment))
        ],
        "baseline": None if results.best_baseline is None else display_name(results.best_baseline),
        "choice": wording.choice_of_baseline(results),
        "differences": "" if results.test is None else wording.about_differences(results.test),
        "marks": wording.MARKS,
        "analysis": [] if analysis is None else analysis_figures.draw(analysis),
        "learning": figures.learning_curves(results),
        "rows": [(row, display_name(row.label), wording.remarks(results, row)) for row in results.rows],
        "machine": _machine(results.facts),
    }
    render("benchmark.html", context, out)


def _sections(results: Results) -> list[Section]:
    """The tables that compare something."""
    sections = []
    for experiment in EXPERIMENTS:
        shown = lines(results, experiment)
        if not shows_something(shown):
            continue
        drawing = (
            figures.number_of_interests(results)
            if experiment == FIGURE_3A
            else figures.ranking(results, experiment)
        )
        sections.append(
            Section(
                experiment=experiment,
                lead=_lead(results, experiment),
                lines=shown,
                with_paper=any(line.paper is not None for line in shown),
                with_baseline=experiment == TABLE_2 and results.best_baseline is not None,
                drawing=drawing,
                note=_note(results, experiment),
            )
        )
    return sections


def _lead(results: Results, experiment: Experiment) -> str:
    lead = _LEADS[experiment.key]
    return f"{lead} {wording.about_paper(results)}" if experiment == TABLE_2 else lead


def _note(results: Results, experiment: Experiment) -> str:
    if experiment == TABLE_3 and results.attention_alone is not None:
        return wording.attention_alone(results.attention_alone)
    return ""


def _overview(results: Results) -> list[tuple[str, str]]:
    facts, test = results.facts, results.test
    return [
        ("Data set", facts.dataset),
        ("Users", count(facts.users)),
        ("Items", count(facts.items)),
        ("Categories", count(facts.categories)),
        *((f"{part.capitalize()} samples", count(number)) for part, number in facts.samples.items()),
        ("Clicked, test", MISSING if test is None else percent(test.positives / test.samples)),
        ("Seeds", ", ".join(map(str, facts.seeds))),
        ("Cells run", f"{len(results.cells)} of {results.cells_asked}"),
        ("Date", facts.date),
    ]


def _machine(facts: Facts) -> list[tuple[str, str]]:
    machine = facts.machine
    return [
        ("Processor", machine.processor),
        ("Cores", count(machine.cores)),
        ("Threads a cell", count(machine.threads)),
        ("Cells at a time", count(machine.workers)),
        ("Device", machine.device),
        ("torch", machine.torch),
        ("Code", facts.commit),
        ("Data version", facts.data_version),
    ]
