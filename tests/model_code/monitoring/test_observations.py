"""The table of observations: deciles, samples of users, and what comes back from disk."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_up import made_up

from model_code.monitoring.behaviors import Behaviors, count_behaviors
from model_code.monitoring.observations import (
    Observations,
    ObservationsError,
    popularity_deciles,
    sample_users,
)
from model_code.monitoring.reference import Reference


def test_deciles_hold_a_tenth_of_the_events_each():
    rng = np.random.default_rng(0)
    count = 1 + rng.lognormal(3, 1.2, 3000).astype(np.int64)
    decile = popularity_deciles(np.concatenate([[0, 0], count]))
    assert decile[:2].tolist() == [0, 0]
    decile = decile[2:]
    assert set(decile) == set(range(1, 11))
    mass = np.bincount(decile, weights=count, minlength=11)[1:] / count.sum()
    assert mass == pytest.approx([0.1] * 10, abs=0.06)
    order = np.argsort(count)
    assert (np.diff(decile[order].astype(int)) >= 0).all()
    for value in np.unique(count):
        assert len(set(decile[count == value])) == 1


def test_deciles_of_one_item_and_of_none():
    assert popularity_deciles(np.array([0, 0, 7])).tolist() == [0, 0, 6]
    assert popularity_deciles(np.array([0, 0])).tolist() == [0, 0]


def test_samples_hold_whole_users_and_keep_the_cap():
    table = made_up(users=200)
    part = sample_users(table, 1_000, seed=3)
    assert 800 < len(part) <= 1_000
    users, rows = np.unique(part.column("user"), return_counts=True)
    whole = dict(zip(*np.unique(table.column("user"), return_counts=True), strict=True))
    assert rows.tolist() == [whole[user] for user in users]
    assert part.table.equals(sample_users(table, 1_000, seed=3).table)
    assert not part.table.equals(sample_users(table, 1_000, seed=4).table)
    assert sample_users(table, len(table), seed=0) is table


def test_a_reference_comes_back_as_it_was(tmp_path):
    behaviors = Behaviors(("buy", "pv"), np.array([[1, 2], [3, 4]]))
    Reference(made_up(), behaviors).write(tmp_path / "reference")
    found = Reference.read(tmp_path / "reference")
    assert found.observations.table.equals(made_up().table)
    assert (found.observations.start, found.observations.kind) == (made_up().start, "log")
    assert found.behaviors is not None
    assert found.behaviors.names == behaviors.names
    np.testing.assert_array_equal(found.behaviors.events, behaviors.events)
    Reference(made_up(), None).write(tmp_path / "silent")
    assert Reference.read(tmp_path / "silent").behaviors is None


def test_a_bundle_without_a_reference_and_another_table_are_errors(tmp_path):
    with pytest.raises(ObservationsError, match=r"observations.parquet: is missing; register the model anew"):
        Reference.read(tmp_path / "nowhere")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(ObservationsError, match="other columns"):
        Observations.read(tmp_path / "other.parquet")


def test_behaviours_are_counted_by_group_in_whole_hours(tmp_path):
    hour = 3_600_000
    table = pa.table(
        {
            "hour": [0, hour, hour, hour, 2 * hour],
            "user_group": pa.array([1, 1, 1, 5, 5], pa.int16()),
            "behavior": ["pv", "pv", "buy", "pv", "pv"],
            "events": [100, 3, 1, 2, 50],
        }
    )
    pq.write_table(table, tmp_path / "behaviors.parquet")
    found = count_behaviors(tmp_path / "behaviors.parquet", 1, 2 * hour)
    assert found is not None
    assert found.names == ("buy", "pv")
    assert found.events.tolist() == [[1, 3], [0, 2]]
    assert count_behaviors(tmp_path / "behaviors.parquet", 3 * hour, 4 * hour) is None
    assert count_behaviors(tmp_path / "nowhere.parquet", 0, hour) is None
