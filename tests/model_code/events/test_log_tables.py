import json
from pathlib import Path

import duckdb
import pandas as pd

from model_code.events.click_log import ClickLog
from model_code.events.engine import EngineSettings
from model_code.events.log_tables import log_tables

DAY = 86_400_000
EVENTS = pd.DataFrame(
    {
        "user_id": pd.array([1, 1, 2, None], "Int64"),
        "item_id": ["b", "b", "a", "b"],
        "timestamp": [-DAY - 1, -1, 0, DAY - 1],
    }
)


def test_users_items_and_days_are_counted_the_most_frequent_first(tmp_path: Path) -> None:
    EVENTS.to_parquet(tmp_path / "events.parquet", index=False)
    balance = {"raw": 5, "kept": 4, "quarantined": 1, "duplicates": 0, "filtered_behaviors": 0}
    (tmp_path / "manifest.json").write_text(json.dumps({"balance": balance}))
    with (
        log_tables(ClickLog(tmp_path), EngineSettings(threads=1)) as tables,
        duckdb.connect(tables, read_only=True) as connection,
    ):
        names = ("events", "users", "items", "days", "balance")
        found = {name: connection.sql(f"FROM {name}").fetchall() for name in names}
    assert len(found["events"]) == 4
    assert found["users"] == [(1, 2, 2 / 3), (2, 1, 1 / 3)]
    assert found["items"] == [("b", 3, 0.75), ("a", 1, 0.25)]
    assert found["days"] == [(0, 2, 0.5), (-2, 1, 0.25), (-1, 1, 0.25)]
    assert found["balance"] == [(5, 4, 1, 0, 0, 0.2, 0.0, 0.0, 0, 0)]
    assert not tables.exists()
