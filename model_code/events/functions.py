"""DuckDB's own functions, where Ibis has no word for them; the names are DuckDB's, the bodies never run."""

# mypy: disable-error-code="untyped-decorator,empty-body"

from __future__ import annotations

import ibis
from ibis.expr.types import JSONValue, StructValue, TimestampValue

UTC = ibis.dtype("timestamp('UTC')")


@ibis.udf.scalar.builtin(signature=((UTC,), ibis.dtype("int64")))
def epoch_ms(moment: TimestampValue) -> int:
    """Milliseconds since 1970 UTC."""


@ibis.udf.scalar.builtin(signature=((UTC,), ibis.dtype("boolean")))
def isfinite(moment: TimestampValue) -> bool:
    """False for 'infinity', which is a time to DuckDB."""


@ibis.udf.scalar.builtin
def divide(dividend: int, divisor: int) -> int:
    """Integer division; Ibis's own goes through floats, which are too coarse for nanoseconds."""


@ibis.udf.scalar.builtin
def regexp_extract_all(text: str, pattern: str, group: int) -> list[str]:
    """The group of each match."""


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


@ibis.udf.scalar.builtin(signature=((ibis.dtype("struct<>"),), ibis.dtype("json")))  # of any struct
def to_json(record: StructValue) -> JSONValue:
    """A struct as a JSON object."""
