import gzip
import io
import re
from collections import Counter
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv

from model_code.events.simulate import simulate, write_demo_log
from model_code.events.simulation.bad_rows import FAULTS, plant_bad_rows
from model_code.events.simulation.clicks import SCHEMA
from model_code.events.simulation.settings import DAY_MS, SimulationSettings
from model_code.events.simulation.writers import write_daily_csv, write_taobao_csv

TINY = SimulationSettings(users=60, clicks=600, items=400, categories=20, interests=5, days=4)


def read_lines(path):
    return gzip.decompress(path.read_bytes()).split(b"\n")


def test_daily_files_hold_the_rows_by_day_in_order_of_time(tmp_path):
    table = pa.Table.from_batches(simulate(TINY))
    paths = write_daily_csv(simulate(TINY), tmp_path)
    assert [path.name for path in paths] == [f"clicks_2024-03-0{d}.csv.gz" for d in (4, 5, 6, 7)]
    read = []
    for day, path in enumerate(paths):
        lines = read_lines(path)
        assert lines[0] == b"user_id,item_id,category_id,behavior,timestamp"
        assert lines[-1] == b""
        assert all(re.fullmatch(rb"\d+,\d+,\d+,(pv|cart|fav|buy),\d{13}", line) for line in lines[1:-1])
        read.append(csv.read_csv(io.BytesIO(b"\n".join(lines))))
        assert ((read[-1]["timestamp"].to_numpy() - TINY.start_ms) // DAY_MS == day).all()
    read = pa.concat_tables(read)
    assert (np.diff(read["timestamp"].to_numpy()) >= 0).all()
    order = [(name, "ascending") for name in SCHEMA.names]
    assert read.sort_by(order).equals(table.sort_by(order))


def test_files_are_the_same_bytes_again(tmp_path):
    for name in ("a", "b"):
        write_demo_log(TINY, tmp_path / name)
        write_taobao_csv(simulate(TINY), tmp_path / f"{name}.csv")
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_taobao_file_has_its_format_and_the_rows(tmp_path):
    settings = replace(TINY, start=date(2017, 11, 25))
    path = tmp_path / "UserBehavior.csv"
    rows = write_taobao_csv(simulate(settings), path)
    text = path.read_text(encoding="ascii")
    assert re.fullmatch(r"(\d+,\d+,\d+,(pv|cart|fav|buy),\d{10}\n)+", text)
    table = pa.Table.from_batches(simulate(settings))
    lines = text.splitlines()
    assert rows == len(table) == len(lines)
    midnight_in_beijing = 1_511_539_200  # 2017-11-25 00:00, UTC+8
    for line, row in zip(lines, table.to_pylist(), strict=True):
        *fields, seconds = line.split(",")
        assert fields == [str(row[name]) for name in ("user_id", "item_id", "category_id", "behavior")]
        assert int(seconds) - midnight_in_beijing == (row["timestamp"] - settings.start_ms) // 1000


@pytest.mark.parametrize("days", [1, 4, 14])
def test_bad_rows_are_planted_as_counted_and_the_good_rows_stay(tmp_path, days):
    paths = write_daily_csv(simulate(replace(TINY, days=days, popularity_hours=24)), tmp_path)
    before = [read_lines(path) for path in paths]
    counts = plant_bad_rows(paths)
    after = [read_lines(path) for path in paths]
    added = [Counter(new) - Counter(old) for old, new in zip(before, after, strict=True)]
    assert sum(counts.values()) == len(FAULTS) + 1 == 13
    # The empty string behind the last newline gives way to the cut row: nothing else is gone.
    assert [Counter(old) - Counter(new) for old, new in zip(before, after, strict=True)] == [
        *([Counter()] * (days - 1)),
        Counter([b""]),
    ]
    good = {line for lines in before for line in lines}
    found = Counter(fault_of(line, good) for extra in added for line in extra.elements())
    assert found == counts
    assert fault_of(after[-1][-1], good) == "cut_row"


def fault_of(line, good):
    fields = line.split(b",")
    checks = {
        "exact_duplicate": line in good,
        "cut_row": len(fields) == 3,
        "missing_column": len(fields) == 4,
        "extra_column": len(fields) == 6,
        "missing_user": fields[0] == b"",
        "invalid_utf8": b"\xff" in line,
        "unknown_behavior": len(fields) == 5 and fields[3] not in (b"pv", b"cart", b"fav", b"buy"),
        "text_timestamp": len(fields) == 5 and not fields[4].isdigit(),
        "outside_window": len(fields) == 5 and fields[4].isdigit() and int(fields[4]) < TINY.start_ms,
    }
    (name,) = [name for name, found in checks.items() if found]
    return name
