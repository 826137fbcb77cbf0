"""Numbers in tables of measurements."""

from __future__ import annotations


def number(value: float | None) -> str:
    """Three significant digits and no exponent; a dash for what was not measured."""
    if value is None:
        return "–"
    if abs(value) >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 or value == 0 else f"{value:.4f}"
