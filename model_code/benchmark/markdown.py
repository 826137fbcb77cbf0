"""Results as Markdown, to be kept with the code, and as a few lines for the terminal."""

from __future__ import annotations

from model_code.benchmark import wording
from model_code.benchmark.paper import EXPERIMENTS, TABLE_2, TABLE_3, Experiment, display_name
from model_code.benchmark.results import Results
from model_code.benchmark.tables import Line, Tested, lines, shows_something
from model_code.evaluation.seeds import SeedDifference, SeedSummary
from model_code.reports.page import MISSING, count, decimal, percent, probability, signed
from model_code.reports.text import aligned, table


def markdown(results: Results) -> str:
    """The paper's tables, with all that one needs to know of how they came about stated above them."""
    parts = [
        f"# Benchmark on {results.facts.dataset}",
        wording.verdict(results),
        _facts(results),
        *wording.notes(results),
        _reading(results),
    ]
    for experiment in EXPERIMENTS:
        shown = lines(results, experiment)
        parts += [
            f"## {experiment.number}: {experiment.title.lower()}",
            _table(shown, experiment, results) if shows_something(shown) else "Not run.",
        ]
        if experiment == TABLE_3 and results.attention_alone is not None:
            parts.append(wording.attention_alone(results.attention_alone))
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def terminal_table(results: Results) -> str:
    """The verdict and a line a row: for the end of a run."""
    rows = [["model", "AUC", "±", "Log Loss", "GAUC", "DemiNet leads by", "p", "seeds", "seconds"]]
    for row in results.rows:
        own, lead = row.measures, row.deminet_lead
        seeds = f"{len(row.seeds)}/{len(results.facts.seeds)}"
        if own is None:
            rows.append([display_name(row.label), wording.NOT_RUN, "", "", "", "", "", seeds, ""])
            continue
        rows.append(
            [
                display_name(row.label),
                decimal(own.auc.mean),
                decimal(own.auc.deviation),
                decimal(own.log_loss.mean),
                decimal(own.gauc.mean if own.gauc else None),
                signed(lead.auc.value) if lead else "",
                probability(lead.auc.p_value) if lead else "",
                seeds,
                f"{own.seconds.mean:,.0f}",
            ]
        )
    return "\n".join([wording.verdict(results), "", *aligned(rows), "", "  p of each pair, not adjusted"])


def _facts(results: Results) -> str:
    facts, machine = results.facts, results.facts.machine
    samples = ", ".join(f"{count(number)} {part}" for part, number in facts.samples.items())
    budget = ", ".join(f"{name} {value}" for name, value in facts.budget.items())
    lines_ = [
        f"- Data: {facts.dataset}, version `{facts.data_version}`: {count(facts.users)} users,"
        f" {count(facts.items)} items, {count(facts.categories)} categories; samples: {samples}.",
        f"- Seeds: {', '.join(map(str, facts.seeds))}; {len(results.cells)} of {results.cells_asked} cells"
        " have run.",
        f"- Training: {budget}.",
        f"- Machine: {machine.processor}, {machine.cores} cores, {machine.workers} cells at a time, threads a"
        f" cell {machine.threads}, {machine.device}, torch {machine.torch}.",
        f"- Code: {facts.commit}, {facts.date}.",
        f"- Command: `{facts.command}`",
    ]
    return "\n".join(lines_)


def _reading(results: Results) -> str:
    if results.test is None:
        return "No cell has run."
    return " ".join(
        [
            f"Values are means over seeds ± their standard deviation, on {count(results.test.samples)} test"
            f" samples of {count(results.test.users)} users,"
            f" {percent(results.test.positives / results.test.samples)} of them clicked.",
            wording.choice_of_baseline(results),
            wording.about_differences(results.test),
            wording.about_paper(results),
            wording.MARKS.replace("*", r"\*"),
        ]
    )


def _table(shown: list[Line], experiment: Experiment, results: Results) -> str:
    with_paper = any(line.paper for line in shown)
    over = experiment == TABLE_2 and results.best_baseline is not None
    header = ["Method", "AUC", "Log Loss"]
    if with_paper:
        header += ["AUC, paper", "Log Loss, paper"]
    if over:
        header.append(f"AUC minus {display_name(results.best_baseline or '')}")
    header += ["DemiNet's lead in AUC", "in Log Loss", "seeds"]
    return table(header, [_line(line, len(header), with_paper, over) for line in shown])


def _line(line: Line, width: int, with_paper: bool, over: bool) -> list[str]:
    own, name = line.row.measures, line.name + (" (tuned)" if line.row.tuned else "")
    if own is None:
        cells = [name, wording.NOT_RUN, wording.NOT_RUN]
        if with_paper:
            cells += _paper(line)
        return cells + [""] * (width - 1 - len(cells)) + ["0"]
    cells = [
        name,
        _value(own.auc, line.best_auc, line.auc_mark),
        _value(own.log_loss, line.best_log_loss, line.log_loss_mark),
    ]
    if with_paper:
        cells += _paper(line)
    if over:
        cells.append(_difference(line.over_baseline, "auc"))
    leads = [_difference(line.deminet_lead, "auc"), _difference(line.deminet_lead, "log_loss")]
    return [*cells, *leads, str(len(line.row.seeds))]


def _paper(line: Line) -> list[str]:
    return [decimal(line.paper.auc), decimal(line.paper.log_loss)] if line.paper else [MISSING, MISSING]


def _value(summary: SeedSummary, best: bool, mark: str) -> str:
    mean = f"**{decimal(summary.mean)}**" if best else decimal(summary.mean)
    deviation = "" if summary.deviation is None else f" ± {decimal(summary.deviation)}"
    return mean + mark.replace("*", r"\*") + deviation


def _difference(tested: Tested | None, metric: str) -> str:
    if tested is None:
        return ""
    gap: SeedDifference = tested.gap.auc if metric == "auc" else tested.gap.log_loss
    p = tested.p.auc if metric == "auc" else tested.p.log_loss
    return f"{signed(gap.value)} ({wording.p_value(p)})"
