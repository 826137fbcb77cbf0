"""Checking a click log against a suite: Great Expectations over DuckDB, every row, in bounded memory."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import great_expectations as gx
from great_expectations.core import ExpectationSuite, ExpectationValidationResult
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.datasource.fluent.sql_datasource import SQLDatasource

from model_code.events.engine import EngineSettings
from model_code.events.validation import Outcome, ValidationResult
from model_code.events.validation_settings import ValidationSettings
from steps.expectations import duckdb_dialect, words
from steps.expectations.suite import Entry, build, read_suite

EXAMPLES = 5  # offending rows kept for each failed expectation


def validate(
    tables: Path, suite: Path, limits: ValidationSettings, engine: EngineSettings
) -> ValidationResult:
    """Check a log's ``tables``, as `log_tables` makes them, against the suite in the YAML file ``suite``.

    An expectation that cannot be checked (its column is missing or of another type) fails and says why; the
    others are checked all the same.

    Raises:
        SettingsError: the suite is wrong; see `read_suite`.
    """
    parameters = limits.parameters()
    entries_of = read_suite(suite, parameters)
    outcomes: list[Outcome] = []
    skipped: list[str] = []
    columns = _columns(tables)
    with _quiet(), _source(tables, engine) as source:
        for table, entries in entries_of.items():
            present = [entry for entry in entries if _applies(entry, columns[table], parameters)]
            skipped += [entry.description for entry in entries if entry not in present]
            results = _run(source, table, present, parameters)
            outcomes += [
                _outcome(table, entry, parameters, result)
                for entry, result in zip(present, results, strict=True)
            ]
    return ValidationResult(outcomes=tuple(outcomes), skipped=tuple(skipped))


def _applies(entry: Entry, columns: list[str], parameters: Mapping[str, Any]) -> bool:
    """Whether an expectation says something about this log: optional ones need their column and limits."""
    if not entry.optional:
        return True
    return entry.column in columns and None not in entry.resolved(parameters).values()


def _run(
    source: SQLDatasource, table: str, entries: list[Entry], parameters: dict[str, Any]
) -> list[ExpectationValidationResult]:
    """Great Expectations' results on one table, in the order of ``entries``."""
    asset = source.add_table_asset(table, table_name=table)
    batch = asset.add_batch_definition_whole_table("all").get_batch()
    results = batch.validate(
        ExpectationSuite(table, [build(entry, number) for number, entry in enumerate(entries)]),
        expectation_parameters=parameters,
        result_format={
            "result_format": "SUMMARY",
            "include_unexpected_rows": True,
            "partial_unexpected_count": EXAMPLES,
        },
    ).results
    return sorted(results, key=_number)


def _number(result: ExpectationValidationResult) -> int:
    assert result.expectation_config is not None
    number: int = result.expectation_config.meta["number"]
    return number


def _outcome(
    table: str, entry: Entry, parameters: Mapping[str, Any], result: ExpectationValidationResult
) -> Outcome:
    seen = result.result
    error = _error(result)
    percent = seen.get("unexpected_percent")
    return Outcome(
        description=entry.description,
        type=entry.type,
        table=table,
        column=entry.column,
        severity=entry.severity,
        passed=bool(result.success),
        expected=words.expected(entry, parameters),
        observed="" if error else words.observed(seen, entry.unit),
        unexpected_count=seen.get("unexpected_count"),
        unexpected_share=None if percent is None else percent / 100,
        examples=tuple(
            {name: _plain(value) for name, value in row.items()} for row in seen.get("unexpected_rows", [])
        ),
        error=error,
    )


def _error(result: ExpectationValidationResult) -> str | None:
    """Why an expectation could not be checked: the last line of each exception that it met."""
    info = result.exception_info or {}
    details = [info] if "raised_exception" in info else list(info.values())
    messages = [detail["exception_message"] for detail in details if detail["raised_exception"]]
    return "; ".join(dict.fromkeys(messages)) or None


def _plain(value: Any) -> int | float | str | None:
    return value if value is None or isinstance(value, int | float | str) else str(value)


def _columns(tables: Path) -> dict[str, list[str]]:
    """The columns of each table."""
    with duckdb.connect(tables, read_only=True) as connection:
        rows = connection.execute("SELECT table_name, list(column_name) FROM duckdb_columns() GROUP BY ALL")
        return dict(rows.fetchall())


@contextmanager
def _source(tables: Path, engine: EngineSettings) -> Iterator[SQLDatasource]:
    duckdb_dialect.register()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_sql(
        "log",
        connection_string=f"{duckdb_dialect.NAME}:///{tables}",
        create_temp_table=False,
        kwargs={"connect_args": {"config": engine.config()}},  # type: ignore[call-arg]  # missing in its stub
    )
    try:
        yield source
    finally:
        source.get_execution_engine().close()
        source.get_engine().dispose()


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what Great Expectations logs about failing queries; the outcomes carry it."""
    logger = logging.getLogger("great_expectations")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
