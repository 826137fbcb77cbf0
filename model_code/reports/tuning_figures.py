"""The plots of the tuning report, with a sentence each on how to read them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from model_code.reports.comparison_figures import Drawing
from model_code.reports.figures import MUTED, SERIES, line_styles, style, svg
from model_code.tuning.result import SearchResult, Trial

_PANELS_IN_A_ROW = 3
_LOG_FROM = 8.0  # a setting whose values span this ratio is drawn by its logarithm
_FEW = 4  # values, which are then the ticks


def shown(value: Any) -> str:
    """A setting's value for people."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, float):
        return f"{value:.4g}"
    return ", ".join(map(shown, value)) if isinstance(value, list | tuple) else str(value)


@style()
def history(results: Sequence[SearchResult]) -> Drawing:
    """AUC of each trial and the best so far, by model."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    plot = figure.add_subplot()
    for result, line in zip(results, line_styles(len(results)), strict=True):
        finished = _finished(result)
        numbers = [trial.number + 1 for trial in finished]
        aucs = [max(trial.aucs) for trial in finished]
        plot.plot(numbers, aucs, "o", markersize=4, alpha=0.55, color=line["color"])
        plot.step(
            [*numbers, len(result.trials)],
            list(accumulate([*aucs, -math.inf], max)),
            where="post",
            label=result.label,
            **line,
        )
    plot.set(xlabel="trial", ylabel="validation AUC")
    plot.xaxis.set_major_locator(MaxNLocator(integer=True))
    plot.legend(loc="lower right")
    return Drawing(
        "The search, trial by trial",
        svg(figure, "history", "Validation AUC by trial, and the best so far, for each model"),
        "Points are trials, the line is the best so far; the first trial has the settings that the search"
        " started from. A line that still climbs at the end says that more trials may find more.",
        wide=True,
    )


@style()
def slices(result: SearchResult) -> Drawing:
    """AUC against each setting that varied, a panel each."""
    names = list(result.start)
    rows = math.ceil(len(names) / _PANELS_IN_A_ROW)
    figure = Figure(figsize=(11, 0.3 + 2.5 * rows), layout="constrained")
    panels = figure.subplots(rows, _PANELS_IN_A_ROW, squeeze=False, sharey=True).ravel()
    for plot in panels[len(names) :]:
        plot.set_axis_off()
    for plot, name in zip(panels, names, strict=False):
        _slice(plot, result, name)
    for row in range(rows):
        panels[row * _PANELS_IN_A_ROW].set_ylabel("validation AUC")
    return Drawing(
        f"{result.label}: AUC by setting",
        svg(figure, f"slices-{result.label.replace('_', '-')}", f"AUC by setting of {result.label}"),
        "Each point is a trial; orange is the best one, the square is where the search started. All settings"
        " vary together: a setting matters where the points follow it, not where they scatter.",
        wide=True,
    )


def _slice(plot: Axes, result: SearchResult, name: str) -> None:
    finished, best = _finished(result), result.best
    values = [trial.settings[name] for trial in finished]
    if _is_scale(values):
        places = dict(zip(map(json.dumps, values), values, strict=True))
        different = sorted(set(values))
        logarithmic = different[0] > 0 and different[-1] / different[0] >= _LOG_FROM
        if logarithmic:
            plot.set_xscale("log")
            plot.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
            plot.xaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value)))
            plot.minorticks_off()
        if len(different) <= _FEW:
            plot.set_xticks(different, list(map(shown, different)))
        elif not logarithmic:
            plot.xaxis.set_major_locator(MaxNLocator(5))
    else:
        kinds = sorted({json.dumps(value) for value in values})
        places = {kind: place for place, kind in enumerate(kinds)}
        plot.set_xticks(range(len(kinds)), [shown(json.loads(kind)) for kind in kinds])
        plot.set_xlim(-0.5, len(kinds) - 0.5)
    for trial, value in zip(finished, values, strict=True):
        plot.plot(
            places[json.dumps(value)],
            max(trial.aucs),
            "s" if trial is result.first else "o",
            color=SERIES[1] if trial is best else SERIES[0],
            markersize=7 if trial is best else 5,
            alpha=1.0 if trial is best else 0.6,
            zorder=3 if trial is best else 2,
        )
    if result.first.aucs:
        plot.axhline(max(result.first.aucs), color=MUTED, linewidth=1, linestyle=(0, (2, 3)))
    plot.set_title(name.removeprefix("model."))


def _finished(result: SearchResult) -> list[Trial]:
    return [trial for trial in result.trials if trial.aucs]


def _is_scale(values: Sequence[Any]) -> bool:
    """Whether they are numbers, which have places on an axis."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
