"""The plots of a benchmark's results, with a sentence each on how to read them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from model_code.benchmark.paper import DEMINET, FIGURE_3A, POPULARITY, Experiment, display_name
from model_code.benchmark.results import CellNumbers, Measures, Results, Row, interests, name_in
from model_code.reports.comparison_figures import Drawing
from model_code.reports.figures import INK, MUTED, SERIES, style, svg

_FAR_OFF = 0.1  # in AUC; a row so far from DemiNet would squeeze all others into a point
_PANELS_IN_A_ROW = 4


@style()
def ranking(results: Results, experiment: Experiment) -> Drawing:
    """AUC of each row by seed, and DemiNet's lead over it with intervals."""
    measured = _measured(results.rows_of(experiment))
    shown = _on_scale(measured)
    figure = Figure(figsize=(11, 1.1 + 0.36 * len(shown)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for place, (row, measures) in enumerate(shown):
        color = SERIES[0] if row.label == DEMINET else INK
        left.plot(measures.auc.values, [place] * len(measures.auc.values), "o", color=color, alpha=0.45)
        left.plot(measures.auc.mean, place, "|", color=color, markersize=15, markeredgewidth=2)
        if row.deminet_lead is not None:
            lead = row.deminet_lead.auc
            right.errorbar(lead.value, place, xerr=lead.high - lead.value, fmt="o", color=INK, capsize=3)
    names = [name_in(row, experiment) for row, _ in shown]
    left.set(yticks=range(len(shown)), yticklabels=names, ylim=(len(shown) - 0.5, -0.5), xlabel="test AUC")
    right.axvline(0, color=MUTED, linewidth=1)
    right.set_xlabel("AUC lead of DemiNet")
    right.spines["left"].set_visible(False)
    for plot in (left, right):
        plot.grid(visible=False, axis="y")
        plot.margins(x=0.08)
        plot.xaxis.set_major_locator(MaxNLocator(5))
    left_out = [name_in(row, experiment) for row, own in measured if (row, own) not in shown]
    name = f"ranking-{experiment.key.replace('_', '-')}"
    return Drawing(
        "How sure the order is",
        svg(figure, name, f"AUC by seed and AUC lead of DemiNet: {', '.join(names)}"),
        f"Left: a dot a seed, a bar at their mean. Right: {_confidence(results)} intervals of the paired"
        " difference; one that crosses zero means that noise could explain the gap."
        + (f" Too far off to draw: {', '.join(left_out)}." if left_out else ""),
        wide=True,
    )


@style()
def number_of_interests(results: Results) -> Drawing:
    """AUC against K, with the deviation between seeds."""
    measured = _measured(results.rows_of(FIGURE_3A))
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    places = range(len(measured))
    for plot, metric in ((left, "AUC"), (right, "Log Loss")):
        summaries = [own.auc if metric == "AUC" else own.log_loss for _, own in measured]
        bars = [summary.deviation or 0 for summary in summaries]
        means = [summary.mean for summary in summaries]
        plot.errorbar(places, means, yerr=bars, fmt="o-", color=SERIES[0], capsize=4)
        for place, summary in zip(places, summaries, strict=True):
            plot.plot([place] * len(summary.values), summary.values, "o", color=INK, alpha=0.35, markersize=4)
        ticks = [str(interests(row)) for row, _ in measured]
        plot.set(xlabel="number of interests K", ylabel=f"test {metric}", title=metric)
        plot.set_xticks(places, ticks)
        plot.margins(x=0.12, y=0.15)
        plot.yaxis.set_major_locator(MaxNLocator(5))
    return Drawing(
        "AUC and Log Loss against K",
        svg(figure, "interests", "AUC and Log Loss against the number of interests K"),
        f"The mean over seeds; bars are their standard deviation, dots single seeds. {_the_k(results)}",
        wide=True,
    )


@style()
def learning_curves(results: Results) -> Drawing | None:
    """Validation AUC by pass, a panel a row and a line a seed; None if no model that learns has run."""
    cells: dict[str, list[CellNumbers]] = {}
    for cell in results.cells:
        if cell.label != POPULARITY:  # it learns two numbers, and its AUC would flatten all other curves
            cells.setdefault(cell.label, []).append(cell)
    if not cells:
        return None
    rows = math.ceil(len(cells) / _PANELS_IN_A_ROW)
    figure = Figure(figsize=(11, 0.5 + 1.9 * rows), layout="constrained")
    panels = figure.subplots(rows, _PANELS_IN_A_ROW, squeeze=False, sharex=True, sharey=True).ravel()
    for plot in panels[len(cells) :]:
        plot.set_axis_off()
    reference = _mean_curve(cells.get(DEMINET, []))
    for plot, (label, own) in zip(panels, cells.items(), strict=False):
        if label != DEMINET and reference:
            plot.plot(list(reference), list(reference.values()), color=MUTED, linewidth=1, alpha=0.7)
        for cell in own:
            curve = {each.number: each.validation_auc for each in cell.passes}
            plot.plot(list(curve), list(curve.values()), color=SERIES[0], linewidth=1.2)
            plot.plot(cell.best_pass, curve[cell.best_pass], "o", color=SERIES[1], markersize=4.5, zorder=3)
        plot.set_title(display_name(label), fontsize=10)
        plot.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        plot.yaxis.set_major_locator(MaxNLocator(4))
    figure.supxlabel("pass over the fit part", fontsize=10, color=MUTED)
    figure.supylabel("validation AUC", fontsize=10, color=MUTED)
    return Drawing(
        "Learning curves",
        svg(figure, "learning", "Validation AUC by pass, for each model and seed"),
        "A line a seed; the dot is the pass that is kept, and a fall after it is overfitting. Grey: DemiNet's"
        " mean over seeds.",
        wide=True,
    )


def _mean_curve(cells: Sequence[CellNumbers]) -> Mapping[int, float]:
    """Mean validation AUC by pass, of the passes that all cells have."""
    curves = [{each.number: each.validation_auc for each in cell.passes} for cell in cells]
    shared = sorted(set.intersection(*map(set, curves))) if curves else []
    return {number: sum(curve[number] for curve in curves) / len(curves) for number in shared}


def _measured(rows: Sequence[Row]) -> list[tuple[Row, Measures]]:
    return [(row, row.measures) for row in rows if row.measures is not None]


def _on_scale(measured: list[tuple[Row, Measures]]) -> list[tuple[Row, Measures]]:
    """The rows near enough to DemiNet to be drawn with it; all if it has not run, or only far ones have."""
    auc = next((own.auc.mean for row, own in measured if row.label == DEMINET), None)
    if auc is None:
        return measured
    near = [(row, own) for row, own in measured if abs(own.auc.mean - auc) <= _FAR_OFF]
    return near if len(near) > 1 else measured


def _the_k(results: Results) -> str:
    row = results.deminet
    return (
        f"DemiNet's own K, in the other tables, is {interests(row)}." if "interests" in row.settings else ""
    )


def _confidence(results: Results) -> str:
    return f"{results.test.confidence:.0%}" if results.test is not None else ""
