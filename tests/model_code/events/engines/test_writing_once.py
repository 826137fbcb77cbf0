"""Rows in order and each once are what Python's own sorting makes of them, whatever their texts."""

import random
from pathlib import Path

import ibis
import pyarrow as pa
import pytest
from pyarrow import parquet

from model_code.events.engine import EngineSettings
from model_code.events.engines import start_engine
from model_code.events.engines.duckdb import FEW

SCHEMA = pa.schema({"category": pa.int64(), "user": pa.int64(), "behavior": pa.string()})
MANY = [f"b{number}" for number in range(FEW + 1)]


def last(value: int | str | None) -> tuple[bool, int | str]:
    return (value is None, value if value is not None else 0)


@pytest.mark.parametrize(
    "behaviors",
    [["pv"], ["it's"], [None], ["pv", None], ["z", "it's", "Ä", "a"], [*MANY, None], MANY[:-1]],
    ids=lambda behaviors: f"{len(behaviors)} {behaviors[0]}",
)
def test_rows_come_in_order_and_once(behaviors: list[str | None], tmp_path: Path) -> None:
    rng = random.Random(0)
    pairs = [(user, behavior) for user in range(3) for behavior in behaviors] * 3
    rng.shuffle(pairs)
    rows = [(rng.choice([None, 1, 2, 3]), *pair) for pair in pairs]
    table = pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], SCHEMA)
    with start_engine(EngineSettings(threads=2)) as engine:
        for few in ((), ("behavior",)):
            engine.write_once(ibis.memtable(table), ("user", "behavior"), tmp_path / "once.parquet", few)
            found = parquet.read_table(tmp_path / "once.parquet")
            assert found.column_names == SCHEMA.names
            assert found["behavior"].type == pa.string()
            best: dict[tuple[int, str | None], int | None] = {}
            for category, *pair in sorted(rows, key=lambda row: last(row[0])):
                best.setdefault(tuple(pair), category)
            ordered = sorted(best, key=lambda pair: (pair[0], last(pair[1])))
            assert [(*row.values(),) for row in found.to_pylist()] == [
                (best[pair], *pair) for pair in ordered
            ]


def test_no_rows_are_written_as_none(tmp_path: Path) -> None:
    with start_engine(EngineSettings(threads=1)) as engine:
        rows = ibis.memtable(SCHEMA.empty_table())
        engine.write_once(rows, ("user", "behavior"), tmp_path / "once.parquet", few=["behavior"])
    assert parquet.read_table(tmp_path / "once.parquet").num_rows == 0
