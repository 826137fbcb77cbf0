"""The plots of the comparison report, with a sentence each on how to read them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from model_code.evaluation.comparison import Comparison
from model_code.evaluation.evaluate import Evaluation
from model_code.reports.figures import INK, MUTED, SERIES, line_styles, style, svg

Evaluations = Mapping[str, Evaluation]  # by model name
History = Sequence[Mapping[str, Any]]  # one record a pass over the fit part

_FAR_OFF = 0.05  # in AUC; a model so far from the main one would squeeze all others into a point
_TICKS = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)  # probabilities
_CLOSE_TICKS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 0.9, 0.97)  # where few of the former are
_PANELS_IN_A_ROW = 3
_MARKERS = "osD^vPX"  # seven, to six colours: pairs of both repeat only after 42 models
_LEGEND_INSIDE = 5  # more models than that do not fit beside their curves


@dataclass(frozen=True)
class Drawing:
    """A figure of the page; ``wide`` ones take the whole row."""

    title: str
    svg: Markup
    caption: str
    wide: bool = False


@style()
def intervals(evaluations: Evaluations, comparison: Comparison) -> Drawing:
    """AUC of each model and the main model's gain over each other one, with intervals."""
    shown = _on_scale(evaluations, comparison.main)
    figure = Figure(figsize=(11, 1.1 + 0.36 * len(shown)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for row, name in enumerate(shown):
        auc = evaluations[name].intervals.auc
        color = SERIES[0] if name == comparison.main else INK
        left.errorbar(auc.value, row, xerr=auc.high - auc.value, fmt="o", color=color, capsize=3)
        if name in comparison.differences:
            gain = comparison.differences[name].auc
            right.errorbar(gain.value, row, xerr=gain.high - gain.value, fmt="o", color=INK, capsize=3)
    left.set(yticks=range(len(shown)), yticklabels=shown, ylim=(len(shown) - 0.5, -0.5), xlabel="AUC")
    right.axvline(0, color=MUTED, linewidth=1)
    right.set_xlabel(f"AUC gain of {comparison.main}")
    right.spines["left"].set_visible(False)
    for plot in (left, right):
        plot.grid(visible=False, axis="y")
        plot.margins(x=0.08)
        plot.xaxis.set_major_locator(MaxNLocator(5))
    left_out = [name for name in evaluations if name not in shown]
    confidence = evaluations[comparison.main].settings.confidence
    return Drawing(
        "How sure the ranking is",
        svg(figure, "intervals", f"AUC by model, and AUC gain of {comparison.main}, with intervals"),
        f"Bars are {confidence:.0%} intervals from resampling users. On the right, a bar that crosses zero"
        " means that noise could explain the gap; pairing makes these bars shorter than those on the left."
        + (f" Too far off to draw: {', '.join(left_out)}." if left_out else ""),
        wide=True,
    )


@style()
def roc(evaluations: Evaluations) -> Drawing:
    """True against false positive rates."""
    figure, plot = _square()
    plot.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (2, 3)))
    for (name, evaluation), line in _styled(evaluations):
        curve = evaluation.roc
        plot.plot(curve.false_positive_rate, curve.true_positive_rate, label=name, **line)
    plot.set(xlabel="share of negatives taken", ylabel="share of positives found", xlim=(0, 1), ylim=(0, 1))
    plot.set_aspect("equal")
    plot.legend(loc="lower right")
    return Drawing(
        "ROC",
        svg(figure, "roc", "ROC curves by model"),
        "Taking candidates from the highest score down: how many clicks are found for the non-clicks taken."
        " The area under a curve is its AUC; the dotted diagonal is chance.",
    )


@style()
def calibration(evaluations: Evaluations) -> Drawing:
    """Observed against predicted click rates."""
    figure, plot = _square()
    highest = 0.0
    for (name, evaluation), line in _styled(evaluations):
        curve = evaluation.calibration
        plot.plot(curve.mean_prediction, curve.observed_rate, marker="o", markersize=3.5, label=name, **line)
        highest = max(highest, *curve.mean_prediction, *curve.observed_rate)
    top = min(1.05 * highest, 1.0)
    plot.plot([0, top], [0, top], color=MUTED, linewidth=1, linestyle=(0, (2, 3)))
    plot.set(xlabel="predicted click rate", ylabel="observed click rate", xlim=(0, top), ylim=(0, top))
    plot.set_aspect("equal")
    plot.legend(loc="upper left")
    return Drawing(
        "Calibration",
        svg(figure, "calibration", "Observed against predicted click rate by model"),
        "Samples in bins of equal size by score. On the dotted diagonal a predicted 10% is clicked 10% of the"
        " time; below it, the model promises too much.",
    )


@style()
def score_distributions(evaluations: Evaluations) -> Drawing:
    """Scores of clicks and of non-clicks, a panel for each model."""
    rows = math.ceil(len(evaluations) / _PANELS_IN_A_ROW)
    figure = Figure(figsize=(11, 0.4 + 2.3 * rows), layout="constrained")
    panels = figure.subplots(rows, _PANELS_IN_A_ROW, squeeze=False).ravel()
    for plot in panels[len(evaluations) :]:
        plot.set_axis_off()
    for plot, (name, evaluation) in zip(panels, evaluations.items(), strict=False):
        spread = evaluation.histogram
        for shares, label, color in (
            (spread.negatives, "not clicked", SERIES[1]),
            (spread.positives, "clicked", SERIES[0]),
        ):
            plot.stairs(shares, spread.edges, color=color, label=label, linewidth=1.4)
            plot.stairs(shares, spread.edges, color=color, fill=True, alpha=0.18)
        low, high = spread.edges[0], spread.edges[-1]
        coarse, close = (_logit_ticks(ticks, low, high) for ticks in (_TICKS, _CLOSE_TICKS))
        ticks = coarse if len(coarse) > 2 else close
        plot.set_xticks(list(ticks), list(ticks.values()))
        plot.set(title=name, yticks=[], xlim=(low, high), ylim=(0, None))
        plot.spines["left"].set_visible(False)
    panels[0].legend(loc="upper right")
    figure.supxlabel("predicted click probability (logit scale)", fontsize=10, color=MUTED)
    return Drawing(
        "Scores of clicks and of non-clicks",
        svg(figure, "scores", "Distribution of scores by class for each model"),
        "Each shape has area one. The less the two overlap, the better the model separates them; spikes mean"
        " that many candidates get the same score.",
        wide=True,
    )


@style()
def learning_curves(histories: Mapping[str, History]) -> list[Drawing]:
    """Training loss and validation AUC after each pass, for the models that were trained."""
    drawings = []
    for key, title, label, caption in (
        (
            "loss_cross_entropy",
            "Training loss",
            "cross-entropy, fit part",
            "Mean loss of each pass over the fit part. It should fall, then flatten.",
        ),
        (
            "validation_auc",
            "Validation AUC",
            "AUC, validation part",
            "The pass with the highest value is the one kept. A fall after it, while the training loss goes"
            " on falling, is overfitting.",
        ),
    ):
        figure = Figure(figsize=(6, 3.6), layout="constrained")
        plot = figure.add_subplot()
        for (name, history), line in _styled(histories):
            points = [(record["epoch"], record[key]) for record in history if record.get(key) is not None]
            if points:
                plot.plot(*zip(*points, strict=True), marker="o", markersize=3.5, label=name, **line)
        if not plot.lines:
            continue
        plot.set(xlabel="pass", ylabel=label)
        plot.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(plot.lines) <= _LEGEND_INSIDE:
            plot.legend()
        else:
            figure.legend(loc="outside lower center", ncols=4)
        drawings.append(Drawing(title, svg(figure, key.replace("_", "-"), f"{title} by pass"), caption))
    return drawings


@style()
def slice_aucs(evaluations: Evaluations) -> Drawing:
    """AUC of each model on each slice that holds both classes."""
    main = next(iter(evaluations.values()))
    rows = [part for part in main.slices if part.auc is not None]
    figure = Figure(figsize=(11, 1.2 + 0.3 * len(rows)), layout="constrained")
    plot = figure.add_subplot()
    labels: list[str] = []
    positions: list[float] = []
    for number, (dimension, parts) in enumerate(groupby(rows, key=lambda part: part.dimension)):
        for part in parts:
            labels.append(f"{dimension}: {part.name}")
            positions.append(len(positions) + 0.6 * number)  # a gap between dimensions
    for number, ((name, evaluation), line) in enumerate(_styled(evaluations)):
        by_slice = {(part.dimension, part.name): part.auc for part in evaluation.slices}
        aucs = [by_slice[part.dimension, part.name] for part in rows]
        marker = _MARKERS[number % len(_MARKERS)]
        plot.plot(aucs, positions, marker, color=line["color"], label=name, alpha=0.9)
    plot.axvline(0.5, color=MUTED, linewidth=1, linestyle=(0, (2, 3)))
    plot.set(yticks=positions, yticklabels=labels, xlabel="AUC")
    plot.invert_yaxis()
    plot.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return Drawing(
        "AUC by slice",
        svg(figure, "slices", "AUC by slice and model"),
        "Each row scores only the samples of that slice, against each other. The dotted line is chance.",
        wide=True,
    )


def _logit_ticks(probabilities: Sequence[float], low: float, high: float) -> dict[float, str]:
    """Labels of ``probabilities`` by their logit, between two logits."""
    logits = {math.log(p / (1 - p)): f"{p:g}" for p in probabilities}
    return {at: label for at, label in logits.items() if low <= at <= high}


def _on_scale(evaluations: Evaluations, main: str) -> list[str]:
    """The models near enough to the main one to be drawn with it; all if only far ones are there."""
    auc = evaluations[main].metrics.auc
    near = [name for name, other in evaluations.items() if abs(other.metrics.auc - auc) <= _FAR_OFF]
    return near if len(near) > 1 else list(evaluations)


def _square() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.4, 5.0), layout="constrained")
    return figure, figure.add_subplot()


def _styled(models: Mapping[str, Any]) -> list[tuple[tuple[str, Any], dict[str, Any]]]:
    """Each model with its line style; the first, the main one, is drawn thicker and on top."""
    lines = line_styles(len(models))
    if lines:
        lines[0] |= {"linewidth": 2.4, "zorder": 3}
    return list(zip(models.items(), lines, strict=True))
