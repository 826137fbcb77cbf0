"""The plots of what a trained DemiNet makes of users and items, with a sentence each on how to read them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from model_code.analysis.analyse import Analysis
from model_code.analysis.cases import Id
from model_code.analysis.confidences import Candidate, ExpertConfidence
from model_code.analysis.gap_statistic import GapStatistic
from model_code.analysis.interest_map import InterestMap
from model_code.reports.comparison_figures import Drawing
from model_code.reports.figures import GRID, INK, MUTED, SERIES, style, svg
from model_code.reports.page import decimal, percent

_LOOKS = [(color, marker) for marker, color in product("os^D", SERIES)]  # distinct up to 24 interests
_EXPERTS_IN_HALF_A_ROW = 8
_LONGEST_NAME = 24  # of an id beside a figure


def draw(analysis: Analysis) -> list[Drawing]:
    """All figures."""
    return [interest_maps(analysis.maps), confidences(analysis.confidence), gap_statistic(analysis.gap)]


@style()
def interest_maps(maps: tuple[InterestMap, ...]) -> Drawing:
    """Interest vectors of each user in the plane, a panel a user."""
    figure = Figure(figsize=(11, 5.0), layout="constrained")
    panels = figure.subplots(1, max(2, len(maps)), squeeze=False).ravel()
    for plot in panels[len(maps) :]:
        plot.set_axis_off()
    for plot, own in zip(panels, maps, strict=False):
        for k in sorted(set(own.interest)):
            points = [
                point for point, interest in zip(own.points, own.interest, strict=True) if interest == k
            ]
            color, marker = _LOOKS[k % len(_LOOKS)]
            x, y = zip(*points, strict=True)
            plot.plot(x, y, marker, color=color, markersize=4.5, alpha=0.75, label=f"interest {k + 1}")
        plot.set(title=f"User {_name(own.user)}", xticks=[], yticks=[])
        plot.grid(visible=False)
        plot.spines[:].set(visible=True, color=GRID)
        plot.margins(0.06)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(8, len(labels)))
    scores = "; ".join(f"user {own.user} {decimal(own.silhouette, 2)}" for own in maps)
    return Drawing(
        "Interest vectors of single users (Figure 4)",
        svg(figure, "interest-maps", "Interest vectors in the plane by t-SNE, coloured by interest"),
        "By t-SNE: a mark is an interest vector with respect to one candidate, its look says which interest."
        " Distances between far groups mean little. Silhouette of the interests among the vectors themselves"
        f" (1: well apart, 0: mixed): {scores}.",
        wide=True,
    )


@style()
def confidences(case: ExpertConfidence) -> Drawing:
    """Confidence in each expert by candidate, values written in."""
    rows, experts = len(case.candidates), len(case.omega[0])
    wide = experts > _EXPERTS_IN_HALF_A_ROW
    figure = Figure(figsize=(11 if wide else 6, 0.9 + 0.45 * rows), layout="constrained")
    plot = figure.add_subplot()
    highest = max(max(confidence) for confidence in case.omega)
    for row, confidence in enumerate(case.omega):
        _shade(plot, row, confidence, highest)
        plot.text(experts - 0.4, row, percent(case.probability[row]), va="center", color=MUTED, fontsize=9)
    plot.text(experts - 0.4, -0.75, "click", va="center", color=MUTED, fontsize=9)
    plot.set_yticks(range(rows), [_candidate(candidate) for candidate in case.candidates])
    plot.set_xticks(range(experts), [f"IE-{expert + 1}" for expert in range(experts)])
    plot.set(xlim=(-0.55, experts + 0.25), ylim=(rows - 0.5, -1.0))
    plot.tick_params(axis="y", labelcolor=INK)
    plot.grid(visible=False)
    plot.spines[:].set_visible(False)
    return Drawing(
        "Confidence in each expert (Figure 5)",
        svg(figure, "confidences", "Confidence in each interest expert by candidate"),
        f"How the interest experts (IE) share the say on {rows} items for user {case.user}; each row adds up"
        " to 1, the highest in bold. Last column: the predicted click probability.",
        wide=wide,
    )


def _shade(plot: Axes, row: int, confidence: Sequence[float], highest: float) -> None:
    """One line of the heat map; shades by opacity, so that they suit the page, light or dark."""
    for expert, omega in enumerate(confidence):
        alpha = 0.05 + 0.5 * omega / highest
        plot.bar(expert, 0.94, 0.96, row - 0.47, color=SERIES[0], alpha=alpha, linewidth=0)
        weight = "bold" if omega == max(confidence) else "normal"
        plot.text(expert, row, decimal(omega, 2), ha="center", va="center", fontsize=9, fontweight=weight)


@style()
def gap_statistic(statistic: GapStatistic) -> Drawing:
    """Gap(k) with its error, and the k that it chooses."""
    figure = Figure(figsize=(6, 3.4), layout="constrained")
    plot = figure.add_subplot()
    k = range(1, len(statistic.gap) + 1)
    plot.errorbar(k, statistic.gap, yerr=statistic.error, fmt="o-", color=SERIES[0], capsize=3, markersize=4)
    if statistic.chosen is not None:
        plot.axvline(statistic.chosen, color=SERIES[1], linewidth=1.2, linestyle=(0, (4, 2)))
    plot.set(xlabel="number of clusters k", ylabel="Gap(k)")
    plot.xaxis.set_major_locator(MaxNLocator(integer=True))
    chosen = (
        f"It chooses k = {statistic.chosen}, the smallest that the next one does not beat beyond its error."
        if statistic.chosen is not None
        else "No k of these qualifies: each is beaten by the next one beyond its error."
    )
    return Drawing(
        "Gap statistic, by which the paper sets K",
        svg(figure, "gap", "Gap statistic by number of clusters, with errors"),
        f"How much tighter {statistic.vectors:,} item vectors cluster than points without clusters; bars are"
        f" the error s. {chosen}",
    )


def _candidate(candidate: Candidate) -> str:
    category = "unknown category" if candidate.category is None else f"category {_name(candidate.category)}"
    return f"item {_name(candidate.item)}\n{category}"


def _name(id_: Id) -> str:
    # "$" would start a formula, and a line break would push other labels aside.
    text = " ".join(str(id_).split()).replace("$", r"\$")
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"
