from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from model_code.groups import PADDING, UNKNOWN
from model_code.sequences.vocabulary import Vocabulary

FIT_END = 100


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    """Item 30 three times and 10, 20 once in the fit part; 40 and 5 only later."""
    rows = [
        ("u1", 30, "b", 1),
        ("u1", 10, "a", 2),
        ("u1", 30, "c", 3),
        ("u2", 20, None, 4),
        ("u2", 30, None, 5),
        ("u2", 10, "a", 150),
        ("u1", 40, "z", 130),
        ("u1", 40, "z", 165),
        ("u3", 40, "z", 120),
        ("u3", 5, "y", 170),
        ("u3", 30, "z", 180),
    ]
    return pd.DataFrame(rows, columns=["user_id", "item_id", "category_id", "timestamp"])


@pytest.fixture(scope="module")
def folder(log: pd.DataFrame, make_split, prepare, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("vocabulary") / "prepared"
    prepare(make_split(log, cuts=(FIT_END, 160)), out=out, negatives_per_positive=1)
    return Path(out)


@pytest.fixture(scope="module")
def vocabulary(folder: Path) -> Vocabulary:
    return Vocabulary.load(folder)


def test_ids_go_by_count_in_the_fit_part_then_by_id(vocabulary: Vocabulary) -> None:
    assert vocabulary.items.to_pydict() == {
        "id": [2, 3, 4],
        "item_id": [30, 10, 20],
        "category": [4, 2, UNKNOWN],
        "count": [3, 1, 1],
    }
    assert vocabulary.categories.to_pydict() == {
        "id": [2, 3, 4],
        "category_id": ["a", "b", "c"],
        "count": [1, 1, 1],
    }
    assert vocabulary.users.to_pydict() == {"id": [2, 3], "user_id": ["u1", "u2"], "count": [3, 2]}
    assert vocabulary.sizes == (5, 5, 4)


def test_items_have_the_category_last_known_in_the_fit_part(vocabulary: Vocabulary) -> None:
    assert vocabulary.item_category.tolist() == [PADDING, UNKNOWN, 4, 2, UNKNOWN]


def test_lookup(vocabulary: Vocabulary) -> None:
    assert vocabulary.encode_items([10, 5, 30, None, 999]).tolist() == [3, UNKNOWN, 2, UNKNOWN, UNKNOWN]
    assert vocabulary.encode_categories(["c", None, "z"]).tolist() == [4, UNKNOWN, UNKNOWN]
    assert vocabulary.encode_users(["u2", "u3"]).tolist() == [3, UNKNOWN]
    assert vocabulary.encode_items([2**70, 30, None, -(2**63) - 1]).tolist() == [UNKNOWN, 2, UNKNOWN, UNKNOWN]
    assert vocabulary.encode_items([]).dtype == np.int32
    with pytest.raises(TypeError, match="item ids of this log are of type int64"):
        vocabulary.encode_items(["10"])


def test_identity_codes_tell_apart_what_the_fit_part_does_not_hold(folder: Path) -> None:
    # Sorted by (user, timestamp, item). Of the later items 5 comes before 40, of the categories y before z.
    assert np.load(folder / "item.npy").tolist() == [2, 3, 2, 6, 6, 4, 2, 3, 6, 5, 2]
    assert np.load(folder / "category.npy").tolist() == [3, 2, 4, 6, 6, UNKNOWN, UNKNOWN, 2, 6, 5, 6]
    assert np.load(folder / "user.npy").tolist() == [2, 3, UNKNOWN]
    assert np.load(folder / "item_count.npy").tolist() == [0, 0, 3, 1, 1]


def test_codes_equal_pandas(events: pd.DataFrame, data, split_log) -> None:
    fit = events[events["timestamp"] < split_log.manifest["validation_timestamp"]]
    for key, array, size in (
        ("item_id", data.item, data.sizes.items),
        ("category_id", data.category, data.sizes.categories),
        ("user_id", np.repeat(data.user, np.diff(data.user_offsets)), data.sizes.users),
    ):
        count = fit.groupby(key).size()
        known = sorted(count.index, key=lambda value: (-count[value], value))
        later = sorted(set(events[key].dropna()) - set(known))
        code = {value: number for number, value in enumerate([*known, *later], start=2)}
        expected = events[key].map(code).fillna(UNKNOWN).astype(int).to_numpy()
        if key == "user_id":
            expected = np.where(expected < size, expected, UNKNOWN)
        assert size == len(known) + 2
        np.testing.assert_array_equal(array, expected)


def test_files_keep_the_types_of_the_log(folder: Path) -> None:
    assert str(pq.read_schema(folder / "items.parquet").field("item_id").type) == "int64"
    assert str(pq.read_schema(folder / "users.parquet").field("user_id").type) == "string"
