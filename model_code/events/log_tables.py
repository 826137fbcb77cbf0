"""Tables of a click log's users, items, hours and days, counted once for all of validation."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from model_code.events.click_log import ClickLog
from model_code.events.dense_counts import count_numbers
from model_code.events.engine import EngineSettings, scratch_folder
from model_code.events.stops import explaining_stops
from model_code.events.successions import GAPS_QUERY, follow

_HOUR = 60 * 60 * 1000  # milliseconds
_PARTS = ("raw", "kept", "quarantined", "duplicates", "filtered_behaviors")


@contextmanager
def log_tables(log: ClickLog, engine: EngineSettings) -> Iterator[Path]:
    """Make a DuckDB file with the tables below, removed on leaving.

    `events` is a view on the Parquet file: nothing is copied, and each question reads only its columns.
    The others are small: `users`, `items`, `hours` since 1970 and `days`, with the `events` of each and their
    `share`, most events first; `gaps` between a user's events, see `successions.Successions`; and `balance`.

    Args:
        log: the click log.
        engine: how much of the machine to use; counting without it takes as many threads as PyTorch has.

    Raises:
        IngestError: if the disk or the memory is full, here or while the tables are read.
        SettingsError: if there is no such spill folder.
    """
    with scratch_folder(engine) as folder, explaining_stops(f"validating {log.path}", folder):
        tables = folder / "tables.duckdb"  # what does not fit is spilled beside it
        with duckdb.connect(tables, config={**engine.config()}) as connection:
            path = glob.escape(str(log.events.absolute())).replace("'", "''")
            scan = f"read_parquet('{path}', hive_partitioning=false)"
            connection.execute(f"CREATE VIEW events AS SELECT * FROM {scan}")
            # Where users are in order, or ids close together, a pass tells what takes the engine far longer.
            found, items = follow(log.events), count_numbers(log.events, "item_id")
            _create(connection, "users", _counted("user_id", "user_id") if found is None else found.users)
            _create(connection, "items", _counted("item_id", "item_id") if items is None else items)
            _create(connection, "hours", _counted(f"floor(timestamp / {_HOUR})::BIGINT", "hour"))
            _create(connection, "days", _DAYS)
            gaps = GAPS_QUERY if found is None else found.gaps
            connection.execute(f"CREATE TABLE gaps AS {_source(connection, gaps)}")
            balance = log.balance
            connection.execute(_BALANCE, {part: getattr(balance, part) for part in _PARTS})
        yield tables


def _counted(key: str, name: str) -> str:
    return f"SELECT {key} AS {name}, count(*) AS events FROM events WHERE {key} IS NOT NULL GROUP BY ALL"


def _create(connection: duckdb.DuckDBPyConnection, table: str, rows: pa.Table | str) -> None:
    """Make a table of ``rows``, which have a key and its events, with the share of each."""
    connection.execute(f"""
        CREATE TABLE {table} AS
        WITH counted AS MATERIALIZED ({_source(connection, rows)})
        SELECT *, events / (SELECT sum(events) FROM counted) AS share FROM counted ORDER BY events DESC, 1""")


def _source(connection: duckdb.DuckDBPyConnection, rows: pa.Table | str) -> str:
    """A query for some rows."""
    if isinstance(rows, str):
        return rows
    connection.register("rows", rows)
    return "FROM rows"


_DAYS = """
    SELECT floor(hour / 24)::BIGINT AS days_since_1970, sum(events)::BIGINT AS events
    FROM hours GROUP BY ALL"""
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
