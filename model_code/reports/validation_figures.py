"""The plots of the validation report, with a sentence each on how to read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from model_code.events.health import DAY, HOUR, LogHealth
from model_code.reports.figures import SERIES, style, svg
from model_code.reports.page import percent

BARS = 200  # at most so many in the plot over time
SHOWN_BEHAVIORS = 8
_YEARS_1_TO_9999 = (-62_135_596_800_000, 253_402_300_799_999)  # ms; what a calendar can show


@dataclass(frozen=True)
class Drawing:
    """A figure of the page."""

    title: str
    svg: Markup
    caption: str


def draw(health: LogHealth) -> list[Drawing]:
    """All figures; none for an empty log."""
    if not (health.events and health.users and health.items):
        return []
    with style():
        drawings = [_activity(health), _histories(health), _popularity(health), _gaps(health), _hours(health)]
        if len(health.behaviors) > 1:
            drawings.append(_behaviors(health))
    return [drawing for drawing in drawings if drawing is not None]


def _plot(height: float = 3) -> Axes:
    return Figure(figsize=(6, height), layout="constrained").add_subplot()


def _svg(plot: Axes, name: str, alt: str) -> Markup:
    figure = plot.get_figure(root=True)
    assert figure is not None
    return svg(figure, name, alt)


def _activity(health: LogHealth) -> Drawing | None:
    low, high = _YEARS_1_TO_9999
    shown = [(start, events) for start, events in health.activity if low <= start <= high]
    if not shown:
        return None
    width = -(-(shown[-1][0] - shown[0][0] + health.interval) // (BARS * health.interval)) * health.interval
    events: dict[int, int] = {}
    for start, number in shown:
        bar = shown[0][0] + (start - shown[0][0]) // width * width
        events[bar] = events.get(bar, 0) + number
    plot = _plot()
    starts = [date2num(datetime.fromtimestamp(start / 1000, UTC)) for start in events]
    plot.bar(starts, list(events.values()), width=0.9 * width / DAY, align="edge")
    locator = AutoDateLocator(maxticks=8)
    plot.xaxis.set_major_locator(locator)
    plot.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    _finish(plot, "", "events")
    unit = "hour" if width == HOUR else "day" if width == DAY else _length(width)
    left_out = sum(number for _, number in health.activity) - sum(events.values())
    caption = "A gap is a time without events; a jump may be a change in logging."
    if left_out:
        caption += f" {left_out:,} events with times outside the years 1 to 9999 are not shown."
    return Drawing(f"Events per {unit}", _svg(plot, "activity", f"Bars: events per {unit}"), caption)


def _histories(health: LogHealth) -> Drawing:
    names = [
        f"{bin_.low:,}" if bin_.low == bin_.high else f"{bin_.low:,}–{bin_.high:,}"
        for bin_ in health.histories
    ]
    counts = [bin_.count for bin_ in health.histories]
    plot = _bars(names, counts, "events of a user", "users")
    plot.tick_params(axis="x", rotation=30 if len(names) > 7 else 0)
    few = sum(bin_.count for bin_ in health.histories if bin_.high <= 4) / health.users
    return Drawing(
        "Users by number of events",
        _svg(plot, "histories", "Bars: users by number of events"),
        f"{health.events / health.users:,.1f} events a user on average; {percent(few)} have 4 or fewer.",
    )


def _popularity(health: LogHealth) -> Drawing:
    plot = _plot()
    plot.loglog([rank for rank, _ in health.popularity], [events for _, events in health.popularity])
    plot.xaxis.set_major_formatter(_THOUSANDS)
    _finish(plot, "rank of the item, most popular first", "events")
    share = health.top_shares[0.01]
    return Drawing(
        "Popularity of items",
        _svg(plot, "popularity", "Line: events of each item by rank, both axes logarithmic"),
        f"The most popular 1% of items have {percent(share)} of all events. "
        "Both axes are logarithmic; a straight line is usual.",
    )


def _gaps(health: LogHealth) -> Drawing | None:
    pairs = sum(health.gaps.values())
    if not pairs:
        return None
    return Drawing(
        "Time between events of a user",
        _svg(
            _shares(list(health.gaps), [count / pairs for count in health.gaps.values()]),
            "gaps",
            "Bars: share of successive events of a user by the time between them",
        ),
        f"{pairs:,} pairs of successive events. Many in the same moment: coarse times, or bots.",
    )


def _hours(health: LogHealth) -> Drawing:
    plot = _bars([str(hour) for hour in range(24)], health.hours, "hour of the day (UTC)", "events")
    plot.set_xticks(range(0, 24, 3))
    return Drawing(
        "Events by hour of the day",
        _svg(plot, "hours", "Bars: events by hour of the day"),
        "People sleep: a quiet stretch is usual and shows the time zone. A single bar: times are whole days.",
    )


def _behaviors(health: LogHealth) -> Drawing:
    shown = list(health.behaviors.items())[:SHOWN_BEHAVIORS]
    rest = len(health.behaviors) - len(shown)
    return Drawing(
        "Events by behaviour",
        _svg(
            _shares([_label(name) for name, _ in shown], [count / health.events for _, count in shown]),
            "behaviors",
            "Bars: share of events by behaviour",
        ),
        f"{rest} rarer behaviours are not shown." if rest else "All behaviours that the log keeps.",
    )


def _bars(names: Sequence[str], counts: Sequence[int], x: str, y: str) -> Axes:
    plot = _plot()
    plot.bar(range(len(names)), counts, width=0.8)
    plot.set_xticks(range(len(names)), names)
    _finish(plot, x, y)
    return plot


def _shares(names: Sequence[str], shares: Sequence[float]) -> Axes:
    plot = _plot(height=max(1.2, 0.32 * len(names) + 0.3))
    bars = plot.barh(range(len(names)), shares, height=0.7, color=SERIES[0])
    plot.bar_label(bars, ["< 0.1%" if 0 < share < 0.0005 else percent(share) for share in shares], padding=4)
    plot.set_yticks(range(len(names)), names)
    plot.invert_yaxis()
    plot.set_xlim(0, 1.15 * max(shares))
    plot.set_xticks([])
    plot.spines["bottom"].set_visible(False)
    plot.grid(visible=False)
    return plot


def _finish(plot: Axes, x: str, y: str) -> None:
    plot.set_xlabel(x)
    plot.set_ylabel(y)
    plot.yaxis.set_major_formatter(_THOUSANDS)
    plot.grid(visible=False, axis="x")


_THOUSANDS = FuncFormatter(lambda value, _: f"{value:,.0f}")


def _label(text: str) -> str:
    # "$" would start a formula, and a line break would push the other labels aside.
    return " ".join(text.split())[:24].replace("$", r"\$")


def _length(milliseconds: int) -> str:
    hours = milliseconds // HOUR
    return f"{hours // 24:,} days" if hours % 24 == 0 else f"{hours} hours"
