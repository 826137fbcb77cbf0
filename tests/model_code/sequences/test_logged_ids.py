"""The way back from codes to the ids of the log."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from model_code.sequences.data import SequenceFolder
from model_code.sequences.logged_ids import LoggedIds


@pytest.mark.parametrize("kind", ["int64", "str"])
def test_every_event_gets_its_ids_back(kind, events: pd.DataFrame, make_split, prepare, tmp_path) -> None:
    log = events.assign(**{key: events[key].astype(kind) for key in ("user_id", "item_id")})
    data = prepare(make_split(log), out=tmp_path / "log", negatives_per_positive=2)
    assert (data.item >= data.sizes.items).any()
    assert (data.category >= data.sizes.categories).any()
    assert (data.user == 1).any()
    logged = LoggedIds.load(SequenceFolder(tmp_path / "log"))
    log = log.sort_values(["user_id", "timestamp", "item_id"], kind="stable")
    rows = np.repeat(np.arange(len(data.user)), np.diff(data.user_offsets))
    assert logged.items.take(pa.array(data.item)).to_pylist() == log["item_id"].tolist()
    assert logged.users.take(pa.array(rows)).to_pylist() == log["user_id"].tolist()
    categories = [None if pd.isna(value) else value for value in log["category_id"]]
    assert logged.categories.take(pa.array(data.category)).to_pylist() == categories
    assert None in categories


def test_a_log_prepared_without_later_ids_is_an_error(split_log, prepare, tmp_path) -> None:
    prepare(split_log, out=tmp_path / "log", negatives_per_positive=2)
    shutil.rmtree(tmp_path / "log" / "unseen")
    with pytest.raises(FileNotFoundError, match=r"log/unseen: is missing.* prepare the log again"):
        LoggedIds.load(SequenceFolder(tmp_path / "log"))
