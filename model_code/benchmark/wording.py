"""What results say, in words that page, Markdown and terminal share."""

from __future__ import annotations

from model_code.benchmark.paper import BASELINES, DATASETS, DEMINET, TABLE_2, display_name
from model_code.benchmark.results import Gap, Results, Row, TestPart
from model_code.reports.page import decimal, probability, signed

LEVEL = 0.05  # of significance, after Holm's adjustment
STRICT_LEVEL = 0.01  # of the paper's asterisk
NOT_RUN = "not run"
MARKS = (
    f"* better than the best baseline with p < {LEVEL}, ** with p < {STRICT_LEVEL}. P-values are adjusted by"
    " Holm's method within a column of the table; intervals are not."
)


def verdict(results: Results) -> str:
    """One sentence: whether DemiNet is ahead of the best baseline, and whether that is significant."""
    deminet, best = results.deminet, results.best_baseline
    if deminet.measures is None:
        return f"On {results.facts.dataset}, DemiNet has not been run: nothing can be said of it."
    baseline = results.row(best).measures if best is not None else None
    gap = deminet.over_baseline
    if best is None or baseline is None or gap is None:
        return f"On {results.facts.dataset}, no baseline has been run that DemiNet could be compared with."
    p = results.families[TABLE_2.key].over_baseline[DEMINET]
    where = "ahead of" if gap.auc.value > 0 else "behind"
    name = display_name(best)
    if p.auc < LEVEL:
        outcome = f"significantly {where} the best baseline, {name}"
    else:
        outcome = f"{where} the best baseline, {name}, but not significantly"
    ours = deminet.measures
    return (
        f"On {results.facts.dataset}, DemiNet is {outcome}:"
        f" AUC {decimal(ours.auc.mean)} against {decimal(baseline.auc.mean)} ({p_value(p.auc)}),"
        f" log loss {decimal(ours.log_loss.mean)} against {decimal(baseline.log_loss.mean)}"
        f" ({p_value(p.log_loss)})."
    )


def p_value(p: float) -> str:
    """0.034 -> "p = 0.034", 0.0004 -> "p < 0.001"."""
    shown = probability(p)
    return f"p {shown}" if shown.startswith("<") else f"p = {shown}"


def remarks(results: Results, row: Row) -> list[str]:
    """What must be known of a row beside its numbers."""
    said = []
    if row.measures is not None and len(row.seeds) < len(results.facts.seeds):
        said.append(f"{len(row.seeds)} of {len(results.facts.seeds)} seeds")
    if row.tuned:
        said.append("tuned")
    return said


def notes(results: Results) -> list[str]:
    """What limits the results as a whole; empty if nothing does."""
    said = []
    missing = results.cells_asked - len(results.cells)
    if missing:
        said.append(
            f"{missing} of {results.cells_asked} cells have not run. A row without any is shown as"
            f" “{NOT_RUN}”, one with fewer seeds than asked for says so, and a difference is over the"
            " seeds that both rows have."
        )
    if results.cells and any(row.measures is not None and len(row.seeds) == 1 for row in results.rows):
        said.append(
            "Rows with one seed: the noise of training cannot be seen in them, and p-values and intervals"
            " of their differences are of the noise of users alone."
        )
    tuned, fixed = (
        [display_name(row.label) for row in results.rows if row.measures is not None and row.tuned is side]
        for side in (True, False)
    )
    if tuned and fixed:
        said.append(
            f"Settings were tuned on the validation part for {_listed(tuned)}, and are as configured for"
            f" {_listed(fixed)}: part of a difference between the two may come from the tuning."
        )
    untuned = [display_name(row.label) for row in results.rows if row.training and not row.tuned]
    if untuned:
        said.append(f"{_listed(untuned)} did not train under the common budget: see the settings.")
    return said


def choice_of_baseline(results: Results) -> str:
    """How the best baseline was chosen."""
    if results.best_baseline is None:
        return "No baseline has run."
    name = display_name(results.best_baseline)
    run = sum(results.row(label).measures is not None for label in BASELINES)
    if run == 1:
        return f"{name} is the only baseline that has run."
    among = "baselines" if run == len(BASELINES) else f"{run} baselines that have run"
    return (
        f"Of the {among}, {name} is called the best: it has the highest mean AUC on the validation part, so"
        " that the test part has no say in the choice."
    )


def about_paper(results: Results) -> str:
    """Whether the paper's own figures can stand beside these."""
    if results.facts.paper_dataset is None:
        return "The paper has no figures for this data set."
    return (
        f"The paper's own figures for {DATASETS[results.facts.paper_dataset]} stand beside; its negatives and"
        " split are not fully described, so compare the order of the methods, not the values."
    )


def about_differences(test: TestPart) -> str:
    """What a difference and its interval are."""
    return (
        "Differences are paired, on the same test samples. Their errors have two parts, which users are in"
        f" the test part ({test.replicates:,} resamples of users) and how the seeds differ; p-values and"
        f" {test.confidence:.0%} intervals are by Student's t."
    )


def attention_alone(gap: Gap) -> str:
    """What "w/o DHA" against "w/o SSL" says."""
    auc, log_loss = gap.auc, gap.log_loss
    return (
        "Without DHA there is no graph, so nothing to drop edges from and no self-supervision either. What"
        " the attention gives by itself is w/o SSL minus w/o DHA:"
        f" {signed(auc.value)} in AUC ({p_value(auc.p_value)}) and {signed(log_loss.value)} in log loss"
        f" ({p_value(log_loss.p_value)}), these two p-values not adjusted."
    )


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
