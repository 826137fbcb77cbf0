"""Tables as text: for the terminal, and in Markdown that can be read as it stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines with cells in columns, the first to the left, the others to the right; indented by two."""
    cells = [list(row) for row in rows]
    widths = _widths(cells)
    return [f"  {'  '.join(_justified(row, widths))}".rstrip() for row in cells]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, its first column to the left, the others to the right."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = _widths(lines)
    head, *body = [f"| {' | '.join(_justified(line, widths))} |" for line in lines]
    rule = "|" + "|".join(f"{'':-<{width + 1}}{'-:'[place > 0]}" for place, width in enumerate(widths)) + "|"
    return "\n".join([head, rule, *body]) + "\n"


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _justified(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *others = zip(row, widths, strict=True)
    return [f"{first[0]:<{first[1]}}", *(f"{cell:>{width}}" for cell, width in others)]
