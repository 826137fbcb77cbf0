"""A suite of expectations: read from YAML, checked, and turned into Great Expectations' own objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

import yaml
from great_expectations import expectations
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.metadata_types import FailureSeverity
from pydantic.v1 import ValidationError

from model_code.events.validation import Severity
from model_code.settings import SettingsError, parse, settings

TABLES = ("events", "users", "items", "days", "balance")
PARAMETER = "$PARAMETER"  # Great Expectations' mark of a value that is given when the suite runs

_LIMITS = {"min_value", "max_value"}

Unit = Literal["count", "share", "time"]


@settings
class Entry:
    """One expectation as written in YAML.

    Attributes:
        type: class name in `great_expectations.expectations`.
        description: what is expected, in plain words.
        severity: how bad a failure is.
        unit: what its numbers are, for showing them.
        optional: whether to pass over it where the table has no such column.
        arguments: of the class; ``{$PARAMETER: name}`` stands for a limit from the settings.
    """

    type: str
    description: str
    severity: Severity
    unit: Unit = "count"
    optional: bool = False
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def column(self) -> str | None:
        """The column that it looks at, if one."""
        return self.arguments.get("column")

    def resolved(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments with each parameter replaced by its value."""
        return {
            name: parameters[value[PARAMETER]] if _is_parameter(value) else value
            for name, value in self.arguments.items()
        }


Suite = dict[str, list[Entry]]  # entries by table


def read_suite(path: Path, parameters: Mapping[str, Any]) -> Suite:
    """Read the suite in ``path`` and check all of it before anything runs.

    Args:
        path: the YAML file.
        parameters: the limits that it may refer to, by name.

    Raises:
        SettingsError: naming the file, the entry and the value: unknown table, type, argument or parameter,
            wrong severity, or a missing field.
    """
    try:
        tables = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: {error}") from None
    if not isinstance(tables, dict):
        raise SettingsError(
            f"{path}: should map tables to lists of expectations, not {type(tables).__name__}"
        )
    suite: Suite = {}
    for table, entries in tables.items():
        if table not in TABLES:
            raise SettingsError(f"{path}: {table!r}: there is no such table, only {', '.join(TABLES)}")
        if not isinstance(entries, list):
            raise SettingsError(f"{path}: {table} should be a list of expectations, not {entries!r}")
        suite[table] = [
            _read_entry(values, f"{path}: {table}[{number}]", parameters)
            for number, values in enumerate(entries)
        ]
    return suite


def build(entry: Entry, number: int) -> Expectation:
    """The Great Expectations object of ``entry``, which carries its ``number`` through the run."""
    kind: type[Expectation] = getattr(expectations, entry.type)
    return kind(
        **entry.arguments,
        severity=FailureSeverity(entry.severity),
        description=entry.description,
        meta={"number": number},
    )


def _read_entry(values: Any, where: str, parameters: Mapping[str, Any]) -> Entry:
    if not isinstance(values, dict):
        raise SettingsError(
            f"{where} = {values!r}: should be an expectation with type, description and severity"
        )
    entry = parse(Entry, values, where)
    _check_type(entry, where)
    for name, value in entry.arguments.items():
        if _is_parameter(value) and value[PARAMETER] not in parameters:
            known = ", ".join(parameters)
            raise SettingsError(
                f"{where}.arguments.{name} = {value!r}: there is no such parameter, only {known}"
            )
    try:
        arguments = build(entry, 0).__fields__.keys()
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(error, entry, f"{where} ({entry.type})"))) from None
    if arguments >= _LIMITS and not _LIMITS & entry.arguments.keys():
        raise SettingsError(
            f"{where}.arguments = {entry.arguments!r}: without min_value or max_value it always holds"
        )
    return entry


def _check_type(entry: Entry, where: str) -> None:
    kind = getattr(expectations, entry.type, None)
    if not (isinstance(kind, type) and issubclass(kind, Expectation) and kind is not Expectation):
        raise SettingsError(f"{where}.type = {entry.type!r}: Great Expectations has no such expectation")
    for reserved in ("severity", "description", "meta"):
        if reserved in entry.arguments:
            raise SettingsError(f"{where}.arguments.{reserved}: belongs to the entry, not to its arguments")


def _explain(error: ValidationError, entry: Entry, where: str) -> Iterator[str]:
    for detail in error.errors():
        name = str(detail["loc"][0])
        if name in entry.arguments:
            yield f"{where}.arguments.{name} = {entry.arguments[name]!r}: {detail['msg']}"
        else:
            yield f"{where}.arguments: {name}: {detail['msg']}".replace("__root__: ", "")


def _is_parameter(value: Any) -> bool:
    return isinstance(value, dict) and PARAMETER in value
