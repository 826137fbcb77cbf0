"""A DuckDB dialect for SQLAlchemy that reads each result at once.

DuckDB drops an unread result, without an error, when its connection ends the transaction or runs another
query. Great Expectations reads results after that and fails with "list index out of range". Its results are
aggregates and a few rows, so reading them at once costs nothing.
"""

from __future__ import annotations

from collections import deque

from duckdb_engine import Dialect
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg2 import PGExecutionContext_psycopg2
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy

NAME = "duckdb+buffered"


class _BufferedContext(PGExecutionContext_psycopg2):
    def post_exec(self) -> None:
        super().post_exec()
        if self.cursor is not None and self.cursor.description:
            rows = deque(self.cursor.fetchall())
            self.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(self.cursor, initial_buffer=rows)


class BufferedDialect(Dialect):  # type: ignore[misc]
    """DuckDB's dialect with buffered results."""

    driver = "buffered"
    supports_statement_cache = False
    execution_ctx_cls = _BufferedContext


def register() -> None:
    """Make ``duckdb+buffered:///path`` known to SQLAlchemy."""
    registry.register("duckdb.buffered", __name__, BufferedDialect.__name__)
