"""Rows in order and each once are what Python's own sorting makes of them, whatever their texts."""

import random
from pathlib import Path

import ibis
import pyarrow as pa
import pytest
from pyarrow import parquet

from model_code.events.engine import EngineSettings
from model_code.events.engines import duckdb, start_engine

SCHEMA = pa.schema({"category": pa.int64(), "user": pa.int64(), "behavior": pa.string()})
KEY = ("user", "behavior")
Row = tuple[int | None, int, str | None]


def last(value: int | str | None) -> tuple[bool, int | str]:
    return (value is None, value if value is not None else 0)


def once(rows: list[Row]) -> list[Row]:
    """Of the rows of a user and behavior the one of the smallest category, in order."""
    best: dict[tuple[int, str | None], int | None] = {}
    for category, user, behavior in sorted(rows, key=lambda row: last(row[0])):
        best.setdefault((user, behavior), category)
    return [(best[pair], *pair) for pair in sorted(best, key=lambda pair: (pair[0], last(pair[1])))]


@pytest.mark.parametrize("row_group", [7, 100_000])
@pytest.mark.parametrize(
    "behaviors",
    [["pv"], ["it's"], [None], ["pv", None], ["z", "it's", "Ä", "a"], [*map(str, range(300)), None]],
    ids=lambda behaviors: f"{len(behaviors)} {behaviors[0]}",
)
def test_rows_come_in_order_and_once(
    behaviors: list[str | None], row_group: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb, "ROW_GROUP", row_group)
    rng = random.Random(0)
    pairs = [(user, behavior) for user in range(9) for behavior in behaviors] * 3
    rng.shuffle(pairs)
    rows: list[Row] = [(rng.choice([None, 1, 2, 3]), *pair) for pair in pairs]
    table = pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], SCHEMA)
    with start_engine(EngineSettings(threads=2)) as engine:
        for few in ({}, {"behavior": behaviors}):
            engine.write_once(ibis.memtable(table), KEY, tmp_path / "once.parquet", few)
            found = parquet.read_table(tmp_path / "once.parquet")
            assert found.column_names == SCHEMA.names
            assert found["behavior"].type == pa.string()
            assert [(*row.values(),) for row in found.to_pylist()] == once(rows)


@pytest.mark.parametrize("behaviors", [["pv"], ["pv", "buy"]])
def test_no_rows_are_written_as_none(behaviors: list[str], tmp_path: Path) -> None:
    with start_engine(EngineSettings(threads=1)) as engine:
        rows = ibis.memtable(SCHEMA.empty_table())
        engine.write_once(rows, KEY, tmp_path / "once.parquet", {"behavior": behaviors})
    assert parquet.read_table(tmp_path / "once.parquet").num_rows == 0
