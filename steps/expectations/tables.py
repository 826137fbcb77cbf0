"""The tables that expectations look at, in a DuckDB database over a click log's files."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from model_code.events.click_log import ClickLog

_DAY = 24 * 60 * 60 * 1000  # milliseconds
_PARTS = ("raw", "kept", "quarantined", "duplicates", "filtered_behaviors")

Columns = dict[str, list[str]]
Config = dict[str, str | bool | int | float | list[str]]  # as DuckDB types it


def write_tables(log: ClickLog, database: Path, config: Config) -> Columns:
    """Create `events`, `users`, `items`, `days` and `balance` in a new DuckDB file.

    `events` is a view on the Parquet file: nothing is copied, and each expectation reads only its columns.
    The others are small: one row for each user, item and day (most events first), and one for the balance.

    Args:
        log: the click log.
        database: the file to create.
        config: DuckDB's settings.

    Returns:
        The columns of each table.
    """
    with duckdb.connect(database, config=config) as connection:
        path = glob.escape(str(log.events)).replace("'", "''")
        scan = f"read_parquet('{path}', hive_partitioning=false)"
        connection.execute(f"CREATE VIEW events AS SELECT * FROM {scan}")
        connection.execute(_grouped("users", "user_id", "user_id"))
        connection.execute(_grouped("items", "item_id", "item_id"))
        connection.execute(_grouped("days", f"timestamp // {_DAY}", "days_since_1970"))
        balance = log.balance
        connection.execute(_BALANCE, {part: getattr(balance, part) for part in _PARTS})
        rows = connection.execute("SELECT table_name, list(column_name) FROM duckdb_columns() GROUP BY ALL")
        return dict(rows.fetchall())


def _grouped(table: str, key: str, name: str) -> str:
    return f"""
        CREATE TABLE {table} AS
        SELECT {key} AS {name}, count(*) AS events, count(*) / sum(count(*)) OVER () AS share
        FROM events WHERE {key} IS NOT NULL GROUP BY ALL ORDER BY events DESC, {name}"""


_BALANCE = """
    CREATE TABLE balance AS
    WITH rows AS (SELECT $raw::BIGINT AS raw, $kept::BIGINT AS kept, $quarantined::BIGINT AS quarantined,
                         $duplicates::BIGINT AS duplicates, $filtered_behaviors::BIGINT AS filtered_behaviors)
    SELECT *,
           quarantined / nullif(raw, 0) AS quarantined_share,
           duplicates / nullif(raw, 0) AS duplicates_share,
           filtered_behaviors / nullif(raw, 0) AS filtered_behaviors_share,
           raw - kept - quarantined - duplicates - filtered_behaviors AS unaccounted,
           kept - (SELECT count(*) FROM events) AS unstored
    FROM rows"""
