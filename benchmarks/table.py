"""Markdown tables that can be read as they stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Align cells in columns, the first to the left, the others to the right."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    head, *body = [_line(line, widths) for line in lines]
    rule = "|" + "|".join(f"{'':-<{width + 1}}{'-:'[place > 0]}" for place, width in enumerate(widths)) + "|"
    return "\n".join([head, rule, *body]) + "\n"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    aligned = [f"{first[0]:<{first[1]}}", *(f"{cell:>{width}}" for cell, width in others)]
    return f"| {' | '.join(aligned)} |"


def number(value: float | None) -> str:
    """Three significant digits and no exponent; a dash for what was not measured."""
    if value is None:
        return "–"
    if abs(value) >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 or value == 0 else f"{value:.4f}"
