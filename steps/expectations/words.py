"""Limits and observations in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_code.reports.page import MISSING, moment
from steps.expectations.suite import Entry, Unit


def expected(entry: Entry, parameters: Mapping[str, Any]) -> str:
    """What the entry asks for: "at least 1,000", "one of click, view"."""
    arguments = entry.resolved(parameters)
    arguments.pop("column", None)
    low, high = arguments.pop("min_value", None), arguments.pop("max_value", None)
    mostly = arguments.pop("mostly", None)
    parts = [_between(low, high, entry.unit)] if (low, high) != (None, None) else []
    for name, value in arguments.items():
        if isinstance(value, list | tuple):
            names = ", ".join(str(member) for member in value)
            parts.append(f"one of {names}" if len(value) > 1 else names)
        else:
            parts.append(f"{name.replace('_', ' ')} {value}")
    if mostly is not None:
        parts.append(f"in at least {_share(mostly)} of rows")
    return ", ".join(parts) or "in every row"


def observed(result: Mapping[str, Any], unit: Unit) -> str:
    """What Great Expectations saw: a value, or how many rows break the expectation."""
    if "unexpected_count" in result:
        bad, rows = result["unexpected_count"], result["element_count"]
        return (
            f"all but {bad:,} of {rows:,} rows ({_share(bad / rows)} fail)" if bad else f"all {rows:,} rows"
        )
    return number(result.get("observed_value"), unit)


def number(value: Any, unit: Unit) -> str:
    """A value in its unit: 0.015 -> "1.5%", 1234 -> "1,234"; what is no number stays as it is."""
    if value is None:
        return MISSING
    if not isinstance(value, int | float):
        return str(value)
    if unit == "share":
        return _share(value)
    if unit == "time":
        return _time(value)
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def _between(low: Any, high: Any, unit: Unit) -> str:
    if low == high:
        return number(low, unit)
    if high is None:
        return f"at least {number(low, unit)}"
    if low is None:
        return f"at most {number(high, unit)}"
    return f"{number(low, unit)} to {number(high, unit)}"


def _share(share: float) -> str:
    # Significant digits, not decimals: one bad row in a million must not read as 0.0%.
    return "< 0.0001%" if 0 < share < 1e-6 else f"{100 * share:.4g}%"


def _time(milliseconds: float) -> str:
    try:
        return moment(int(milliseconds))
    except (OverflowError, ValueError, OSError):  # beyond the years 1 to 9999
        return f"{milliseconds:,.0f} ms"
