import gzip
from collections import Counter
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from model_code.events.simulate import CHUNK_USERS, DEMO, main, simulate
from model_code.events.simulation.catalogue import make_catalogue
from model_code.events.simulation.clicks import SCHEMA, simulate_chunk
from model_code.events.simulation.settings import DAY_MS, SimulationSettings
from model_code.settings import SettingsError, parse

SMALL = SimulationSettings(users=2_500, clicks=15_000, items=400, categories=20, interests=5, days=4)


@pytest.fixture(scope="module")
def demo():
    return pa.Table.from_batches(simulate(DEMO))


def column(table, name):
    return table[name].to_numpy(zero_copy_only=False)


def day_of(table, settings):
    return (column(table, "timestamp") - settings.start_ms) // DAY_MS


# --- the rows ---------------------------------------------------------------------------------------------


def test_equal_settings_give_equal_rows_and_another_seed_gives_others():
    rows = pa.Table.from_batches(simulate(SMALL))
    assert rows.equals(pa.Table.from_batches(simulate(SMALL)))
    other = pa.Table.from_batches(simulate(replace(SMALL, seed=SMALL.seed + 1)))
    assert not rows["timestamp"].equals(other["timestamp"])


def test_a_chunk_does_not_depend_on_the_chunks_before_it():
    streamed = list(simulate(SMALL))
    assert len(streamed) == -(-SMALL.users // CHUNK_USERS) == 3
    catalogue = make_catalogue(SMALL)
    for chunk in (2, 0, 1):
        assert simulate_chunk(SMALL, catalogue, chunk, CHUNK_USERS).equals(streamed[chunk])


def test_chunks_hold_their_own_users_in_order():
    for chunk, batch in enumerate(simulate(SMALL)):
        user, time = column(batch, "user_id"), column(batch, "timestamp")
        assert chunk * CHUNK_USERS < user.min() <= user.max() <= (chunk + 1) * CHUNK_USERS
        same = np.diff(user) == 0
        assert (np.diff(user) >= 0).all()
        assert (np.diff(time)[same] > 0).all()


def test_ids_times_and_behaviors_are_in_range(demo):
    assert demo.schema == SCHEMA
    assert demo.column(0).null_count == 0
    for name, most in (("user_id", DEMO.users), ("item_id", DEMO.items), ("category_id", DEMO.categories)):
        ids = column(demo, name)
        assert ids.min() >= 1
        assert ids.max() <= most
    time = column(demo, "timestamp")
    assert DEMO.start_ms <= time.min() < DEMO.start_ms + DAY_MS
    assert DEMO.start_ms + 13 * DAY_MS <= time.max() < DEMO.start_ms + DEMO.length_ms
    share = {name: count / len(demo) for name, count in Counter(demo["behavior"].to_pylist()).items()}
    assert share == pytest.approx({"pv": 0.896, "cart": 0.055, "fav": 0.029, "buy": 0.020}, abs=0.005)


def test_an_item_has_one_category(demo):
    pairs = {(item, c) for item, c in zip(column(demo, "item_id"), column(demo, "category_id"), strict=True)}
    assert len(pairs) == len(set(column(demo, "item_id")))


@pytest.mark.parametrize("clicks", [5_000, 60_000])
def test_the_number_of_rows_is_about_as_asked(clicks):
    settings = replace(SMALL, users=6_000, clicks=clicks, activity_sigma=0.5)
    rows = sum(batch.num_rows for batch in simulate(settings))
    assert rows == pytest.approx(clicks, rel=0.06)


def test_a_log_may_be_empty():
    rows = pa.Table.from_batches(simulate(replace(SMALL, users=1, clicks=1, seed=0, activity_sigma=3.0)))
    assert len(rows) == 0
    assert rows.schema == SCHEMA


# --- the structure that models are to find ----------------------------------------------------------------


def test_activity_is_heavy_tailed_with_users_below_five_events(demo):
    clicks = np.bincount(column(demo, "user_id"))
    clicks = np.sort(clicks[clicks > 0])[::-1]
    assert 0.25 < (clicks < 5).mean() < 0.5
    assert clicks[: len(clicks) // 100].sum() > 0.1 * clicks.sum()


def test_popularity_is_heavy_tailed(demo):
    shares = []
    for table in (demo, pa.Table.from_batches(simulate(replace(DEMO, popularity_exponent=0.0)))):
        clicks = np.sort(np.bincount(column(table, "item_id"), minlength=DEMO.items + 1)[1:])[::-1]
        shares.append(clicks[: DEMO.items // 100].sum() / clicks.sum())
    assert shares[0] > 0.12
    assert shares[0] > 1.4 * shares[1]


def test_popularity_drifts_and_items_are_born(demo):
    day, item = day_of(demo, DEMO), column(demo, "item_id")
    top_first, top_last = (
        set(np.argsort(np.bincount(item[day == d], minlength=DEMO.items + 1))[-30:]) for d in (0, 13)
    )
    assert len(top_first & top_last) < 15
    late = column(demo, "timestamp") >= np.quantile(column(demo, "timestamp"), 0.8)
    unknown = ~np.isin(item[late], np.unique(item[~late]))
    assert 0.03 < unknown.mean() < 0.3


def test_unborn_items_are_never_drawn():
    catalogue = make_catalogue(SMALL)
    weight = np.diff(catalogue.edges.reshape(-1, SMALL.items + 1))
    n = 20_000
    rng = np.random.default_rng(0)
    time = rng.uniform(0, SMALL.length_ms, n)
    low = rng.integers(0, SMALL.items - 3, n)
    item = catalogue.draw(time, low, low + 3, rng.random(n))
    row = (time // catalogue.step_ms).astype(int)
    assert (weight == 0).mean() > 0.1
    assert (weight[row, item] > 0).all()
    possible = np.add.reduce([weight[row, low + k] for k in range(3)]) > 0
    assert ((low <= item) & (item < low + 3))[possible].all()


def test_draws_follow_popularity():
    catalogue = make_catalogue(SMALL)
    n, items = 200_000, 20
    start = np.zeros(n, dtype=np.int64)
    time = np.full(n, 1.5 * catalogue.step_ms)
    drawn = catalogue.draw(time, start, start + items, np.random.default_rng(0).random(n))
    weight = np.diff(catalogue.edges.reshape(-1, SMALL.items + 1)[1])[:items]
    np.testing.assert_allclose(np.bincount(drawn, minlength=items) / n, weight / weight.sum(), atol=0.005)


def test_users_have_several_interests_but_few_categories(demo):
    """Half of a user's clicks fall on few categories, more than one, and these differ between users."""
    user, category = column(demo, "user_id"), column(demo, "category_id")
    clicks = np.zeros((DEMO.users + 1, DEMO.categories + 1))
    np.add.at(clicks, (user, category), 1)
    busy = clicks[clicks.sum(axis=1) >= 30]
    share = np.sort(busy, axis=1)[:, ::-1].cumsum(axis=1) / busy.sum(axis=1, keepdims=True)
    needed = (share < 0.5).sum(axis=1) + 1
    assert 2 <= np.median(needed) <= 6
    everyone = np.sort(clicks.sum(axis=0))[::-1].cumsum() / clicks.sum()
    assert (everyone < 0.5).sum() + 1 > 2 * np.median(needed)


def test_recent_clicks_say_more_than_old_ones(demo):
    user, category = column(demo, "user_id"), column(demo, "category_id")
    same = [(category[lag:] == category[:-lag])[user[lag:] == user[:-lag]].mean() for lag in (1, 4, 16)]
    assert same[0] > 1.3 * same[1]
    assert same[1] > 1.1 * same[2]
    by_chance = np.mean((np.bincount(category) / len(category)) ** 2) * (DEMO.categories + 1)
    assert same[2] > 2 * by_chance


def test_categories_follow_one_another_in_one_direction(demo):
    def asymmetry(table):
        user, category = column(table, "user_id"), column(table, "category_id")
        follows = np.zeros((DEMO.categories + 1, DEMO.categories + 1))
        within = user[1:] == user[:-1]
        np.add.at(follows, (category[:-1][within], category[1:][within]), 1)
        return np.abs(follows - follows.T).sum() / follows.sum()

    assert asymmetry(demo) > 2 * asymmetry(pa.Table.from_batches(simulate(replace(DEMO, advancing=0.0))))


def test_repeat_clicks_exist_and_can_be_asked_for():
    shares = []
    for repeats in (0.0, 0.4):
        table = pa.Table.from_batches(simulate(replace(SMALL, repeats=repeats)))
        user, item = column(table, "user_id"), column(table, "item_id")
        shares.append((item[1:] == item[:-1])[user[1:] == user[:-1]].mean())
    assert 0.1 < shares[1] - shares[0] < 0.25  # half of the repeats are of the very last item


def test_gaps_are_heavy_tailed_and_nights_quieter(demo):
    user, time = column(demo, "user_id"), column(demo, "timestamp")
    gap = np.diff(time)[np.diff(user) == 0]
    assert np.median(gap) < 120_000
    assert np.quantile(gap, 0.95) > DAY_MS / 4
    hour = time % DAY_MS // 3_600_000
    assert ((hour >= 10) & (hour < 14)).sum() > 2 * ((hour < 2) | (hour >= 22)).sum()


# --- the command -----------------------------------------------------------------------------------------


def test_the_demo_log_is_small_and_never_written_over(tmp_path):
    folder = tmp_path / "clicks"
    main(["demo", str(folder)])
    files = sorted(folder.iterdir())
    assert len(files) == DEMO.days
    assert sum(path.stat().st_size for path in files) < 1_500_000
    rows = sum(gzip.decompress(path.read_bytes()).count(b"\n") for path in files)
    assert 0.8 * DEMO.clicks < rows < 1.2 * DEMO.clicks
    with pytest.raises(SystemExit, match="has files"):
        main(["demo", str(folder)])


def test_the_demo_log_is_a_folder(tmp_path):
    (tmp_path / "clicks").touch()
    with pytest.raises(SystemExit, match="clicks: is a file"):
        main(["demo", str(tmp_path / "clicks")])


@pytest.mark.parametrize("clicks", [1, 20])
def test_a_demo_log_too_small_for_its_bad_rows_is_refused(tmp_path, clicks):
    with pytest.raises(SystemExit, match=r"simulation\.clicks is too small"):
        main(["demo", str(tmp_path / "clicks"), "--users=5", f"--clicks={clicks}", "--days=2"])
    assert list(tmp_path.iterdir()) == []


def test_the_command_takes_settings(tmp_path):
    path = tmp_path / "log.csv"
    small = {"users": 50, "clicks": 500, "items": 90, "categories": 9, "interests": 3}
    main(["taobao", str(path), *(f"--{name}={value}" for name, value in small.items())])
    fields = np.array([line.split(",") for line in path.read_text().splitlines()])
    assert fields[:, 1].astype(int).max() <= 90
    assert fields[:, 2].astype(int).max() <= 9


@pytest.mark.parametrize(
    ("name", "value"),
    [("users", 0), ("noise", 1.5), ("items", 10), ("categories", 3), ("popularity_hours", 7), ("seed", -1)],
)
def test_wrong_settings_are_named(name, value):
    with pytest.raises(SettingsError, match=rf"simulation\.{name} = {value}"):
        replace(SMALL, **{name: value})


def test_settings_can_be_read_from_plain_values():
    read = parse(SimulationSettings, {"start": "2024-01-01", "users": 5}, "simulation")
    assert (read.start, read.users, read.items) == (date(2024, 1, 1), 5, DEMO.items)
    with pytest.raises(SettingsError, match="no such setting"):
        parse(SimulationSettings, {"user": 5}, "simulation")
