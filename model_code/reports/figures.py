"""Figures: matplotlib drawings as inline SVG that follows the page's font and its light or dark colours."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from itertools import product
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler

INK = "#1d2127"
MUTED = "#5b6472"
GRID = "#e1e4e8"
# Okabe and Ito's colours, told apart with any colour vision; each has a lighter twin in the dark page.
SERIES = ("#0072b2", "#d55e00", "#009e73", "#b0578d", "#a87400", "#6e6e6e")
DASHES = ("solid", (0, (5, 2)), (0, (1, 1.5)))

_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "line"} | {
    color: f"series-{number}" for number, color in enumerate(SERIES, 1)
}
_STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 10,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": cycler(color=SERIES),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same layout on every machine
    "font.size": 10,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.6,
    "svg.fonttype": "none",
    "text.color": INK,
    "xtick.color": MUTED,
    "xtick.labelsize": 9.5,
    "xtick.major.size": 0,
    "ytick.color": MUTED,
    "ytick.labelsize": 9.5,
    "ytick.major.size": 0,
}


@contextmanager
def style() -> Iterator[None]:
    """The reports' style, for the time of drawing; works as ``with style():`` and as ``@style()``.

    Everything is drawn inside it, legends too, and `svg` is called inside it.
    """
    with mpl.rc_context(_STYLE):
        yield


def line_styles(series: int) -> list[dict[str, Any]]:
    """``series`` keyword sets for `Axes.plot`, all distinct up to 18: colours first, then dashes."""
    styles = [{"color": color, "linestyle": dash} for dash, color in product(DASHES, SERIES)]
    return [styles[number % len(styles)] for number in range(series)]


def svg(figure: Figure, name: str, alt: str) -> Markup:
    """``figure`` as SVG markup to put into a page.

    The same drawing gives the same bytes. Text stays text; colours of this module become the page's CSS
    variables.

    Args:
        figure: made by matplotlib's `Figure`, never by pyplot.
        name: unique within the page, letters and hyphens; it prefixes all ids.
        alt: what the figure shows, for those who cannot see it.
    """
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<(metadata|style)[^>]*>.*?</\1>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r' (width|height)="[^"]*pt"', "", text, count=2)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name}-", text)
    text = text.replace("'DejaVu Sans'", "var(--font, sans-serif)")
    for color, variable in _VARIABLES.items():
        text = text.replace(color, f"var(--{variable}, {color})")
    return Markup(text.replace("<svg ", f'<svg role="img" aria-label="{escape(alt)}" ', 1))
