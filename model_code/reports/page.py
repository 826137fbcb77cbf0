"""Pages: a template and its context become one self-contained HTML file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from model_code.files import replacing

TEMPLATES = Path(__file__).parent / "templates"
MISSING = "–"  # shown where a number does not exist


def render(template: str, context: Mapping[str, object], out: Path) -> None:
    """Fill ``template``, a file name in ``templates/``, and write the page to ``out``.

    All text is escaped, except figures (`model_code.reports.figures.svg` returns markup). Templates extend
    ``base.html``, take their parts from ``parts.html`` and format numbers by the filters below.

    Raises:
        jinja2.UndefinedError: the template uses a name that the context lacks.
    """
    page = _environment().get_template(template).render(**context)
    with replacing(out) as temporary:
        temporary.write_text(page, encoding="utf-8")


def stamped(page: str, lineage: Mapping[str, str]) -> str:
    """Put at a page's foot which data and code it is made of; the page need not be one of these templates."""
    foot = _environment().get_template("provenance.html").render(lineage=lineage)
    body, end, rest = page.rpartition("</body>")
    return f"{body}{foot}\n{end}{rest}" if end else f"{page}{foot}\n"


def count(value: int | None) -> str:
    """1234567 -> "1,234,567"."""
    return MISSING if value is None else f"{value:,d}"


def decimal(value: float | None, digits: int = 4) -> str:
    """0.71234 -> "0.7123"; a minus sign, not a hyphen, before negative numbers."""
    if value is None or math.isnan(value):
        return MISSING
    return f"{value:.{digits}f}".replace("-", "−")


def signed(value: float | None, digits: int = 4) -> str:
    """0.0123 -> "+0.0123"."""
    if value is None or math.isnan(value):
        return MISSING
    return f"{value:+.{digits}f}".replace("-", "−")


def percent(value: float | None, digits: int = 1) -> str:
    """0.1234 -> "12.3%"."""
    return MISSING if value is None else f"{decimal(100 * value, digits)}%"


def probability(value: float | None) -> str:
    """A p-value: 0.034 -> "0.034", 0.0004 -> "< 0.001"."""
    if value is None:
        return MISSING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def moment(milliseconds: int | None) -> str:
    """Milliseconds since the epoch -> "2017-11-25 16:00 UTC"."""
    if milliseconds is None:
        return MISSING
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    formats = (count, decimal, signed, percent, probability, moment)
    environment.filters.update({format_.__name__: format_ for format_ in formats})
    return environment
