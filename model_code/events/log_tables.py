"""Tables of a click log's users, items and days with their events, counted once for all of validation."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from model_code.events.click_log import ClickLog
from model_code.events.engine import EngineSettings, scratch_folder
from model_code.events.stops import explaining_stops

_DAY = 24 * 60 * 60 * 1000  # milliseconds
_PARTS = ("raw", "kept", "quarantined", "duplicates", "filtered_behaviors")


@contextmanager
def log_tables(log: ClickLog, engine: EngineSettings) -> Iterator[Path]:
    """Make a DuckDB file with `events`, `users`, `items`, `days` and `balance`, removed on leaving.

    `events` is a view on the Parquet file: nothing is copied, and each question reads only its columns.
    The others are small: one row for each user, item and day (most events first), and one for the balance.

    Args:
        log: the click log.
        engine: how much of the machine to use.

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
            connection.execute(_grouped("users", "user_id", "user_id"))
            connection.execute(_grouped("items", "item_id", "item_id"))
            connection.execute(_grouped("days", f"floor(timestamp / {_DAY})::BIGINT", "days_since_1970"))
            balance = log.balance
            connection.execute(_BALANCE, {part: getattr(balance, part) for part in _PARTS})
        yield tables


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
