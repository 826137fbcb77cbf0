"""Spark against DuckDB: what is told of a log's files, and categories from beside it."""

import json
import random

import pytest

from model_code.events.source import CategoryTableSettings, RowFilter, TimeSettings
from tests.model_code.events.both_engines import both, needs_spark
from tests.model_code.events.raw_logs import ALL, KEYS, T0, events, write

pytestmark = [pytest.mark.slow, needs_spark]


def test_files_that_repeat_others_and_events_of_unwanted_behaviors(tmp_path):
    rng = random.Random(0)
    users, behaviors = [*range(20), "x"], ["pv", "pv", "buy", "cart", ""]
    lines = [
        f"{rng.choice(users)},{rng.randrange(9)},{rng.choice(['', '7'])},{rng.choice(behaviors)},"
        f"{T0 + rng.randrange(9000)}"
        for _ in range(500)
    ]
    folder = tmp_path / "log"
    folder.mkdir()
    for name, part in {"a": lines, "b": lines[40:90], "c": lines[::-1], "d": ["1,1,7,pv,1511539200"]}.items():
        write(folder / f"{name}.csv", "u,i,c,b,t", *part)
    (folder / "e.csv").write_text("u,i,c,b,t\n")  # not a record
    log = both(folder, tmp_path, ALL, behaviors_kept=("pv",))
    assert [repeat["file"] for repeat in log.manifest["repeated_files"]] == ["b.csv", "c.csv"]
    assert log.balance.filtered_behaviors and log.balance.duplicates
    assert log.manifest["id_types"]["user_id"] == "VARCHAR"


def test_a_category_table(tmp_path):
    write(tmp_path / "items.csv", "i,c", "2,9", "2,10", "3,", "4,x", "5,7,7", " 1 , 8")
    write(tmp_path / "log.csv", "u,i,t", *(f"1,{n},{T0}" for n in range(6)))
    table = CategoryTableSettings(path=str(tmp_path / "items.csv"), item_id="i", category_id="c")
    log = both(tmp_path / "log.csv", tmp_path, categories=table)
    assert log.manifest["events_without_category"] == 3


def test_categories_that_change_at_times_in_a_zone(tmp_path):
    rng = random.Random(1)
    days = [f"2017-11-{day:02d}" for day in range(1, 31)]
    rows = [
        f"{rng.choice(days)} 08:00:00,{rng.randrange(9)},{rng.choice(['category', 'price'])},c{n}"
        for n in range(60)
    ]
    write(tmp_path / "items.csv", "at,item,property,value", *rows)
    write(tmp_path / "log.csv", "u,i,t", *(f"{n},{n % 10},{days[n % 30]} 0{n % 9}:59:59" for n in range(99)))
    table = CategoryTableSettings(
        path=str(tmp_path / "items.csv"),
        item_id="item",
        category_id="value",
        only=RowFilter(column="property", value="category"),
        valid_from="at",
    )
    zone = TimeSettings(unit="iso", zone="Asia/Shanghai")
    log = both(tmp_path / "log.csv", tmp_path, categories=table, time=zone)
    assert 0 < log.manifest["events_without_category"] < log.balance.kept


def test_categories_out_of_paths(tmp_path):
    lines = [json.dumps({"asin": f"a{n}", "categories": ["Books", f"c{n % 3}"]}) for n in range(5)]
    write(tmp_path / "items.jsonl", *lines, "{")
    write(tmp_path / "log.csv", "u,i,t", *(f"1,a{n},{T0}" for n in range(6)))
    table = CategoryTableSettings(
        path=str(tmp_path / "items.jsonl"), item_id="asin", category_id="categories", format="json_paths"
    )
    log = both(tmp_path / "log.csv", tmp_path, KEYS, categories=table)
    assert [row["category_id"] for row in events(log)] == ["c0", "c1", "c2", "c0", "c1", None]
