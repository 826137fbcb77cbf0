"""Functions for which Ibis has no word; the bodies here never run.

The names are DuckDB's, but for `csv_fields` and `iso_microseconds`; each engine defines what it has not.
"""

# mypy: disable-error-code="untyped-decorator,empty-body"

from __future__ import annotations

import ibis


@ibis.udf.scalar.builtin
def iso_microseconds(text: str) -> int:
    """Microseconds since 1970 UTC, of a text in the engine's zone if it names none; NULL if it is no time."""


@ibis.udf.scalar.builtin
def divide(dividend: int, divisor: int) -> int:
    """Integer division; Ibis's own goes through floats, which are too coarse for nanoseconds."""


@ibis.udf.scalar.builtin
def csv_fields(line: str) -> list[str]:
    """The fields of a line of CSV, quotes and all; NULL if the quotes do not pair up."""


@ibis.udf.scalar.builtin
def json_valid(text: str) -> bool:
    """Whether the text is JSON."""


@ibis.udf.scalar.builtin
def json_type(text: str) -> str:
    """ "OBJECT", "ARRAY" and so on."""


@ibis.udf.scalar.builtin(name="json_type")
def json_type_at(text: str, path: str) -> str:
    """The same of a value; NULL if it is missing."""


@ibis.udf.scalar.builtin
def json_extract_string(text: str, path: str) -> str:
    """A value as text; an integer comes back digit by digit, whatever its size."""
