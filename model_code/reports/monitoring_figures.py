"""The plots of the monitoring report, with a sentence each on how to read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from model_code.monitoring.drift import BEHAVIOR, FEATURES, Drift
from model_code.monitoring.history import WindowRecord
from model_code.monitoring.settings import ThresholdSettings
from model_code.reports.comparison_figures import Drawing
from model_code.reports.figures import MUTED, SERIES, line_styles, style, svg

_MANY = 12  # bins: labels are then turned, and only some shown
_LONGEST_LABEL = 16
_TITLES = {feature.name: feature.title for feature in FEATURES} | {BEHAVIOR: "Behaviour mix"}
_MARKERS = {"ok": "o", "warn": "^", "retrain": "X"}


@style()
def distribution(drift: Drift) -> Drawing:
    """Share of each bin in the reference and in the window."""
    figure = Figure(figsize=(6, 3), layout="constrained")
    plot = figure.add_subplot()
    place = np.arange(len(drift.bins))
    plot.bar(place - 0.2, drift.reference, width=0.4, label="reference", color=MUTED)
    plot.bar(place + 0.2, drift.window, width=0.4, label="window", color=SERIES[0])
    shown = place if len(place) <= _MANY or drift.name == "category" else place[::3]
    short = all(len(label) <= 3 for label in drift.bins)
    plot.set_xticks(
        shown,
        [_label(drift.bins[number]) for number in shown],
        rotation=0 if short else 40,
        ha="center" if short else "right",
    )
    plot.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    plot.grid(visible=False, axis="x")
    plot.legend()
    distance = f"{drift.measure} {drift.value:.3f}" if drift.measure == "PSI" else f"{drift.value:+.1%}"
    return Drawing(
        drift.title,
        svg(figure, f"drift-{drift.name.replace('_', '-')}", f"Shares by {drift.title}"),
        f"Share of the rows in each bin. Between the two: {distance}; noise alone stays within"
        f" {drift.noise_limit:.3f}.",
    )


@style()
def history(records: Sequence[WindowRecord], thresholds: ThresholdSettings) -> Drawing:
    """Drift and AUC over all windows."""
    figure = Figure(figsize=(11, 5.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    times = [date2num(datetime.fromtimestamp(record.window_start / 1000, UTC)) for record in records]
    names = [name for name in _TITLES if any(name in record.distances for record in records)]
    for name, line in zip(names, line_styles(len(names)), strict=True):
        # In units of the limit for a warning, so that all fit one axis.
        limit = max(getattr(thresholds, name).warn, 1e-9)
        values = [abs(record.distances.get(name, np.nan)) / limit for record in records]
        above.plot(times, values, marker="o", markersize=3.5, label=_TITLES[name], **line)
    above.axhline(1, color=MUTED, linewidth=1, linestyle=(0, (2, 3)))
    above.set_ylabel("drift / limit for a warning")
    above.set_ylim(bottom=0)
    if names:
        above.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    _aucs(below, times, records)
    locator = AutoDateLocator(maxticks=8)
    below.xaxis.set_major_locator(locator)
    below.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    return Drawing(
        "All windows so far",
        svg(figure, "history", "Drift and AUC by window"),
        "Above, each drift over its limit for a warning; noise may pass the dotted line. Below, the AUC with"
        " its 95% interval; the dotted line is the reference's. A triangle warns, a cross says to retrain.",
        wide=True,
    )


def _aucs(plot: Axes, times: Sequence[float], records: Sequence[WindowRecord]) -> None:
    for time, record in zip(times, records, strict=True):
        if record.auc is None or record.auc_low is None or record.auc_high is None:
            continue
        error = [[record.auc - record.auc_low], [record.auc_high - record.auc]]
        marker = _MARKERS[record.status]
        plot.errorbar(time, record.auc, yerr=error, fmt=marker, color=SERIES[0], capsize=3)
    known = [(time, record.reference_auc) for time, record in zip(times, records, strict=True)]
    level = [(time, auc) for time, auc in known if auc is not None]
    if level:
        line: dict[str, Any] = {"color": MUTED, "linewidth": 1, "linestyle": (0, (2, 3))}
        plot.step([time for time, _ in level], [auc for _, auc in level], where="mid", **line)
        if len(level) == 1:
            plot.axhline(level[0][1], **line)
    else:
        plot.text(0.5, 0.5, "no labels yet", transform=plot.transAxes, ha="center", color=MUTED)
    plot.set_ylabel("AUC")


def _label(text: str) -> str:
    # "$" would start a formula, and a line break would push the other labels aside.
    words = " ".join(text.split())
    short = words if len(words) <= _LONGEST_LABEL else f"{words[: _LONGEST_LABEL - 1]}…"
    return short.replace("$", r"\$")
