"""Planted drift: what changes, what stays, and how much."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from model_code.events.simulate import DEMO, main, simulate
from model_code.events.simulation.drift import KINDS, DriftSettings, plant_drift
from model_code.settings import SettingsError

START, START_MS = "2024-03-14T00:00:00+00:00", 1_710_374_400_000
DAY = 86_400_000


@pytest.fixture(scope="module")
def rows():
    return pa.Table.from_batches(simulate(replace(DEMO, users=800, clicks=12_000, items=400)))


def planted(rows, kind, strength=0.3, **settings):
    return plant_drift(rows, DriftSettings(kind=kind, strength=strength, start=START, **settings))


def columns(table):
    return {name: table[name].to_numpy() for name in table.column_names}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_changes_before_the_start_nor_at_strength_zero(rows, kind):
    early = rows["timestamp"].to_numpy() < START_MS
    after = planted(rows, kind)
    assert after.schema == rows.schema
    assert after.filter(pa.array(early)).equals(rows.filter(pa.array(early)))
    assert not after.equals(rows)
    assert planted(rows, kind, 0.0).equals(rows)
    assert planted(rows, kind).equals(after)
    assert not planted(rows, kind, seed=1).equals(after)


def test_clicks_move_to_the_other_end_of_popularity(rows):
    before, after = columns(rows), columns(planted(rows, "popularity", 1.0))
    late = before["timestamp"] >= START_MS
    items, counts = np.unique(before["item_id"], return_counts=True)
    popularity = dict(zip(items, counts, strict=True))
    old = np.array([popularity[item] for item in before["item_id"][late]])
    new = np.array([popularity[item] for item in after["item_id"][late]])
    assert new.mean() < 0.3 * old.mean()
    category = dict(zip(before["item_id"], before["category_id"], strict=True))
    assert [category[item] for item in after["item_id"]] == after["category_id"].tolist()


def test_a_share_of_the_items_gets_categories_that_were_never_there(rows):
    before, after = columns(rows), columns(planted(rows, "categories", 0.3))
    late = before["timestamp"] >= START_MS
    new = after["category_id"] > before["category_id"].max()
    items = np.unique(before["item_id"][late])
    moved = np.unique(after["item_id"][new])
    assert len(moved) / len(items) == pytest.approx(0.3, abs=0.08)
    assert new[late & np.isin(after["item_id"], moved)].all()


def test_a_share_of_the_users_comes_back_under_new_ids(rows):
    before, after = columns(rows), columns(planted(rows, "users", 0.3))
    late = before["timestamp"] >= START_MS
    changed = before["user_id"] != after["user_id"]
    share = len(np.unique(before["user_id"][changed])) / len(np.unique(before["user_id"][late]))
    assert share == pytest.approx(0.3, abs=0.1)
    assert not np.isin(after["user_id"][changed], before["user_id"]).any()


def test_times_are_shifted_or_cut(rows):
    before = columns(rows)
    late = before["timestamp"] >= START_MS
    shift = columns(planted(rows, "shifted_clock", 0.3))["timestamp"] - before["timestamp"]
    assert set(np.unique(shift)) == {0, -8 * 3_600_000}
    assert (shift[late] != 0).mean() == pytest.approx(0.3, abs=0.05)
    cut = columns(planted(rows, "whole_days", 0.3))["timestamp"]
    assert (cut[late] % DAY == 0).mean() == pytest.approx(0.3, abs=0.05)
    assert (before["timestamp"] // DAY == cut // DAY).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "weather"}, "drift.kind = 'weather': should be one of popularity"),
        ({"strength": 2.0}, "drift.strength = 2.0: should be a share"),
        ({"start": None}, "drift.start = None: should be a moment"),
        ({"start": "2024-03-14"}, "drift.start = '2024-03-14': should be ISO 8601 with an offset"),
    ],
)
def test_settings_that_make_no_sense_are_named(values, message):
    with pytest.raises(SettingsError, match=message):
        DriftSettings(**({"kind": "users", "strength": 0.3, "start": START} | values))


def test_the_command_line_plants_drift_in_the_last_days_alone(tmp_path):
    size = ["--users", "400", "--clicks", "9000", "--items", "400"]
    main(["demo", str(tmp_path / "plain"), *size])
    main(["demo", str(tmp_path / "drifted"), *size, "--drift", "categories", "--drift-from", START])
    plain, drifted = sorted((tmp_path / "plain").iterdir()), sorted((tmp_path / "drifted").iterdir())
    same = [old.read_bytes() == new.read_bytes() for old, new in zip(plain, drifted, strict=True)]
    assert same == [True] * 10 + [False] * 4
    with pytest.raises(SystemExit, match=r"drift.start"):
        main(["demo", str(tmp_path / "more"), *size, "--drift", "users"])
