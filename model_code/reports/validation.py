"""The validation report: may this log be trained on, what is wrong with it, and what it looks like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_code.events.click_log import Balance
from model_code.events.health import LogHealth
from model_code.events.repeats import RepeatedFile
from model_code.events.validation import SEVERITIES, Outcome, ValidationResult
from model_code.reports.page import MISSING, moment, render
from model_code.reports.validation_figures import draw

SHOWN_CHARACTERS = 160  # of a value; a broken row can be as long as its file
SHOWN_FILES = 50  # that repeat others
SHOWN_HOLDERS = 3  # files in which the events of such a one are found
PARTS = {  # of the balance: title, meaning, colour
    "kept": ("Kept", "go on to training", "series-3"),
    "quarantined": ("Quarantined", "could not be used; kept aside with file, line and reason", "series-2"),
    "duplicates": ("Duplicates", "repeat another row exactly; removed", "series-5"),
    "filtered_behaviors": ("Other behaviours", "readable, but not of the behaviours asked for", "series-6"),
}
MARKS = {"critical": "fail", "warning": "warn", "info": "info"}


@dataclass(frozen=True)
class ValidationReport:
    """What the report shows.

    Attributes:
        name: of the log.
        result: the expectations and what was seen.
        balance: where each raw row went.
        health: aggregates over all events.
        category_table: counts of the table that categories come from, as the log's manifest has them;
            ``None`` if the log has its own.
        repeats: files that repeat others whole.
    """

    name: str
    result: ValidationResult
    balance: Balance
    health: LogHealth
    category_table: Mapping[str, int | None] | None = None
    repeats: Sequence[RepeatedFile] = ()


def render_validation(report: ValidationReport, out: Path) -> None:
    """Write the report to ``out`` as one HTML file that opens offline."""
    result, health, parts = report.result, report.health, _parts(report.balance)
    context = {
        "name": report.name,
        "verdict": _verdict(result),
        "facts": _facts(health) + _category_facts(report.category_table),
        "raw": report.balance.raw,
        "parts_of_raw": parts,
        "repeats": report.repeats[:SHOWN_FILES],
        "other_repeats": max(len(report.repeats) - SHOWN_FILES, 0),
        "shown_holders": SHOWN_HOLDERS,
        "unaccounted": report.balance.raw - sum(part["rows"] for part in parts),
        "failed": [_shown(outcome) for outcome in result.failed],
        "passed": [_shown(outcome) for outcome in _passed(result)],
        "skipped": result.skipped,
        "quarantine": [
            {
                "reason": reason,
                "examples": [(record, shorten(record.record)) for record in reason.examples],
                "other_files": reason.file_count - len(reason.files),
            }
            for reason in health.quarantine
        ],
        "drawings": draw(health),
    }
    render("validation.html", context, out)


def shorten(text: str) -> str:
    """The start of a long text, and how much of it there is."""
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return f"{text[:SHOWN_CHARACTERS]}… ({len(text):,} characters)"


def when(milliseconds: int | None) -> str:
    """A moment in words; the plain number when it lies beyond the years 1 to 9999."""
    try:
        return moment(milliseconds)
    except (OverflowError, ValueError, OSError):
        return f"{milliseconds:,} ms"


def _verdict(result: ValidationResult) -> dict[str, object]:
    mark, headline = {
        "critical": ("fail", "Failed: do not train on this log"),
        "warning": ("warn", "Passed with warnings: read them before training"),
        "info": ("pass", "Passed: fit to train on"),
        None: ("pass", "Passed: fit to train on"),
    }[result.worst_failed_severity]
    total, failures = len(result.outcomes), result.failures
    if not failures:
        detail = f"All {total} expectations are met."
    else:
        counts = ", ".join(
            f"{failures[severity]} {severity}" for severity in SEVERITIES if failures[severity]
        )
        detail = f"{failures.total()} of {total} expectations are not met, by severity: {counts}."
    return {"mark": mark, "headline": headline, "detail": detail}


def _facts(health: LogHealth) -> list[tuple[str, str]]:
    facts = [
        ("Events", f"{health.events:,}"),
        ("Users", f"{health.users:,}"),
        ("Items", f"{health.items:,}"),
        ("Categories", f"{health.categories:,}"),
        ("First event", when(health.first)),
        ("Last event", when(health.last)),
        ("Events a user", f"{health.events / health.users:,.1f}" if health.users else MISSING),
    ]
    if health.behaviors:
        facts.append(("Behaviours", shorten(", ".join(health.behaviors))))
    return facts


def _category_facts(table: Mapping[str, int | None] | None) -> list[tuple[str, str]]:
    if table is None:
        return []
    named = {
        "items": "items",
        "conflicts": "conflicts",
        "unusable": "unusable rows",
        "unlisted": "categories not in the list",
    }
    counts = [f"{table[key]:,} {name}" for key, name in named.items() if table[key] is not None]
    return [("Table of categories", ", ".join(counts))]


def _parts(balance: Balance) -> list[dict[str, Any]]:
    parts = []
    for part, (title, meaning, color) in PARTS.items():
        rows = getattr(balance, part)
        share = rows / balance.raw if balance.raw else None
        parts.append({"title": title, "meaning": meaning, "color": color, "rows": rows, "share": share})
    return parts


def _passed(result: ValidationResult) -> list[Outcome]:
    passed = [outcome for outcome in result.outcomes if outcome.passed]
    return sorted(passed, key=lambda outcome: SEVERITIES.index(outcome.severity))


def _shown(outcome: Outcome) -> dict[str, object]:
    columns = list(outcome.examples[0]) if outcome.examples else []
    return {
        "outcome": outcome,
        "mark": MARKS[outcome.severity],
        "place": f"{outcome.table}.{outcome.column}" if outcome.column else outcome.table,
        "error": outcome.error and shorten(" ".join(outcome.error.split())),
        "columns": columns,
        "examples": [[_cell(name, row[name]) for name in columns] for row in outcome.examples],
    }


def _cell(name: str, value: int | float | str | None) -> str:
    if value is None:
        return "(missing)"
    if name == "timestamp" and isinstance(value, int):
        return f"{value} = {when(value)}"
    return f"{value:.6g}" if isinstance(value, float) else shorten(str(value))
