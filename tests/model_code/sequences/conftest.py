"""Split logs made up for the tests, and prepared logs made of them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model_code.events.engine import EngineSettings
from model_code.events.split import SplitLog
from model_code.sequences.build import build
from model_code.sequences.data import SequenceData
from model_code.sequences.settings import SequenceSettings

SORTED = ["user_id", "timestamp", "item_id"]
Log = Callable[..., pd.DataFrame]
Split = Callable[..., SplitLog]
Prepare = Callable[..., SequenceData]


def cut(timestamps: pd.Series, share: float) -> int:
    """The timestamp at which the last 1 - share of the events starts."""
    ordered = np.sort(timestamps.to_numpy())
    return int(ordered[int(np.ceil(share * len(ordered))) - 1])


@pytest.fixture(scope="session")
def random_log() -> Log:
    """Makes events with skewed items, many equal timestamps, missing categories and late items and users."""

    def make(seed: int, *, users: int = 60, items: int = 80, events: int = 1500) -> pd.DataFrame:
        r = np.random.default_rng(seed)
        timestamp = r.integers(0, 400, events) * 1000
        item = (items * r.random(events) ** 2).astype(np.int64)
        item += np.where(timestamp > 340_000, r.integers(0, 2, events) * items // 2, 0)
        user = r.integers(0, users, events) + np.where(timestamp > 360_000, users // 4, 0)
        category = pd.Series(item % 7 + timestamp // 100_000, dtype="Int64")
        log = pd.DataFrame(
            {
                "user_id": user * 3,
                "item_id": item * 5 - 40,
                "category_id": category.mask(item % 11 == 3),
                "timestamp": timestamp,
            }
        )
        return log.drop_duplicates(SORTED)

    return make


@pytest.fixture(scope="session")
def make_split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    """Writes events as a split log: ``make_split(events, cuts=None, order=None, row_group=None)``."""

    def make(
        events: pd.DataFrame,
        cuts: tuple[int, int] | None = None,
        order: np.ndarray | None = None,
        row_group: int | None = None,
    ) -> SplitLog:
        path = tmp_path_factory.mktemp("split")
        if cuts is None:
            split_timestamp = cut(events["timestamp"], 0.8)
            train = events["timestamp"][events["timestamp"] < split_timestamp]
            cuts = cut(train, 0.9), split_timestamp
        events = events.sort_values(SORTED, kind="stable").reset_index(drop=True)
        part = sum((events["timestamp"] >= at).astype("int8") for at in cuts)
        table = pa.Table.from_pandas(events.assign(part=part), preserve_index=False)
        table = table.take(pa.array(order)) if order is not None else table
        pq.write_table(table, path / "events.parquet", row_group_size=row_group)
        manifest = {"validation_timestamp": cuts[0], "split_timestamp": cuts[1]}
        (path / "manifest.json").write_text(json.dumps(manifest))
        return SplitLog(path)

    return make


@pytest.fixture(scope="session")
def prepare(tmp_path_factory: pytest.TempPathFactory) -> Prepare:
    """Builds a split log with one thread: ``prepare(split, threads=1, **settings)``."""
    numbers = itertools.count()
    folder = tmp_path_factory.mktemp("prepared")

    def make(split: SplitLog, threads: int = 1, out: Path | None = None, **values: object) -> SequenceData:
        settings = SequenceSettings(**values)
        engine = EngineSettings(threads=threads, memory_limit="1GB")
        return build(split, settings, engine, out or folder / str(next(numbers)))

    return make


SMALL = {"max_length": 5, "negatives_per_positive": 3, "negative_block": 100, "seed": 3}


@pytest.fixture(scope="session")
def events(random_log: Log) -> pd.DataFrame:
    """The events of `data`, in the order of its arrays."""
    return random_log(0).sort_values(SORTED, kind="stable").reset_index(drop=True)


@pytest.fixture(scope="session")
def split_log(events: pd.DataFrame, make_split: Split) -> SplitLog:
    """The split log of `data`."""
    return make_split(events)


@pytest.fixture(scope="session")
def data(split_log: SplitLog, prepare: Prepare) -> SequenceData:
    """A small prepared log."""
    return prepare(split_log, **SMALL)
