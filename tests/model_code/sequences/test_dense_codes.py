from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from model_code.events.engine import EngineSettings
from model_code.events.engines import start_engine
from model_code.events.parquet_files import number_range
from model_code.kernels import library
from model_code.sequences import dense_codes
from model_code.sequences.build import _count
from model_code.sequences.dense_codes import count_dense

LEAST, MOST = -(2**63), 2**63 - 1
END = 20  # of the fit part


@pytest.fixture(autouse=True)
def kernels() -> None:
    if not library.ready():
        pytest.skip("no C compiler: there are no kernels to compare")


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def write(path: Path, columns: dict[str, np.ndarray | pa.Array], row_group: int = 64) -> Path:
    pq.write_table(pa.table(columns), path / "events.parquet", row_group_size=row_group)
    return path / "events.parquet"


def random_log(seed: int, events: int = 700, **low: int) -> dict[str, np.ndarray | pa.Array]:
    """Few times, so that items have several categories at once; ids from ``low`` on, with gaps."""
    r = np.random.default_rng(seed)
    most = {"user_id": 60, "item_id": 90, "category_id": 12, "timestamp": 30}
    numbers = {name: (n * r.random(events) ** 2).astype(np.int64) for name, n in most.items()}
    numbers["user_id"].sort()
    return {name: column + low.get(name, 0) for name, column in numbers.items()}


def with_nulls(log: dict[str, np.ndarray | pa.Array], name: str, share: float) -> dict:
    nulls = np.random.default_rng(5).random(len(log[name])) < share
    return log | {name: pa.array(log[name], mask=nulls)}


def compare(path: Path, end: int = END) -> None:
    """Both ways give the same codes."""
    found = count_dense(path, end)
    with start_engine(EngineSettings(threads=1, memory_limit="1GB")) as connection:
        expected = _count(connection, connection.read(path), end)
    assert found is not None
    for one, other in zip(found[:3], expected[:3], strict=True):
        assert one.ids.equals(other.ids)
        for name in ("events", "count"):
            a, b = getattr(one, name), getattr(other, name)
            assert a.dtype == b.dtype
            assert a.tolist() == b.tolist()
    latest = [dict(zip(*table.to_pydict().values(), strict=True)) for table in (found[3], expected[3])]
    latest[1].pop(None, None)  # what has no item stops the preparation
    assert latest[0] == latest[1]
    assert found[3].schema == expected[3].schema


@pytest.mark.parametrize("row_group", [1, 64, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_codes_and_categories_are_those_of_the_engine(
    seed: int, row_group: int, threads: int, tmp_path: Path
) -> None:
    compare(write(tmp_path, random_log(seed), row_group))


@pytest.mark.parametrize(
    "low",
    [
        {"user_id": -30, "item_id": -90, "category_id": -5, "timestamp": -15},
        {"user_id": LEAST, "item_id": MOST - 89, "category_id": LEAST, "timestamp": 10},
        {"item_id": LEAST, "category_id": MOST - 11, "timestamp": LEAST},
    ],
)
def test_ids_and_times_may_lie_anywhere(low: dict[str, int], threads: int, tmp_path: Path) -> None:
    log = random_log(3, **low)
    log = with_nulls(with_nulls(log, "category_id", 0.3), "item_id", 0.1)
    compare(write(tmp_path, log), END + low["timestamp"])


@pytest.mark.parametrize("share", [0.1, 0.95, 1])
@pytest.mark.parametrize("name", ["user_id", "item_id", "category_id"])
def test_null_is_no_id(name: str, share: float, threads: int, tmp_path: Path) -> None:
    compare(write(tmp_path, with_nulls(random_log(4), name, share)))


@pytest.mark.parametrize("end", [0, 1, 29, 30, MOST])
def test_the_fit_part_may_hold_nothing_or_all(end: int, threads: int, tmp_path: Path) -> None:
    compare(write(tmp_path, random_log(6)), end)


def test_of_categories_seen_at_once_the_largest_is_the_latest_and_null_is_none(tmp_path: Path) -> None:
    item, category, time = np.array(
        [[7, 2, 5], [7, 3, 5], [7, 1, 5], [7, 9, 25], [8, 4, 1], [8, -1, 9], [9, -1, 3], [6, 5, 30]] * 9
    ).T
    log = {"user_id": np.zeros(72, np.int64), "item_id": item, "timestamp": time}
    found = count_dense(write(tmp_path, log | {"category_id": pa.array(category, mask=category < 0)}), END)
    assert found is not None
    assert found[3].to_pydict() == {"item_id": [7, 8], "category_id": [3, 4]}
    assert [codes.ids.to_pylist() for codes in found[:3]] == [[7, 8, 9, 6], [1, 2, 3, 4, 5, 9], [0]]


@pytest.mark.parametrize(
    "changed",
    [
        {"item_id": np.arange(700) * 2},
        {"item_id": np.where(np.arange(700) % 2, LEAST, MOST)},
        {"user_id": np.arange(700) // 350 * MOST},
        {"timestamp": np.arange(700) * 2**52},
        {"category_id": pa.array(map(str, range(700)))},
        {"category_id": pa.nulls(700)},
        {"timestamp": pa.array([*range(699), None])},
        {"item_id": np.arange(700, dtype=np.int32) // 7},
        {"item_id": np.arange(700, dtype=np.uint64) // 7},
    ],
)
def test_other_ids_are_left_to_the_engine(changed: dict, threads: int, tmp_path: Path) -> None:
    assert count_dense(write(tmp_path, random_log(0) | changed), END) is None


def test_without_rows_kernels_or_room_all_is_left_to_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert count_dense(write(tmp_path, {name: v[:0] for name, v in random_log(0).items()}), END) is None
    path = write(tmp_path, random_log(0))
    assert count_dense(path, END)
    with monkeypatch.context() as patch:
        patch.setattr(dense_codes, "_ROOM", 1000)
        assert count_dense(path, END) is None
    monkeypatch.setenv(library.SWITCH, "off")
    assert count_dense(path, END) is None


@pytest.mark.parametrize("column", range(4))
@pytest.mark.parametrize("error", [1, -2])
def test_numbers_beyond_what_the_file_says_are_not_counted(
    column: int, error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, random_log(0))

    def wrong(metadata: pq.FileMetaData, name: str) -> tuple[int, int]:
        low, size = number_range(metadata, name)
        if name != dense_codes._COLUMNS[column]:
            return low, size
        return (low + error, size) if error > 0 else (low, size + error)

    monkeypatch.setattr(dense_codes, "number_range", wrong)
    assert count_dense(path, END) is None
