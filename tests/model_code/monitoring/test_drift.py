"""Distances against scipy and literal loops, and noise against drawing anew."""

import numpy as np
import pyarrow as pa
import pytest
from made_up import START, WIDTH, made_up
from scipy.stats import entropy

from model_code.monitoring import features
from model_code.monitoring.behaviors import Behaviors
from model_code.monitoring.drift import behavior_drift, difference, drifts, psi
from model_code.monitoring.noise import NOT_COUNTED, NoiseSettings, equivalent_users, sum_by_unit
from model_code.monitoring.observations import DAY

NOISE = NoiseSettings(quantile=0.99, replicates=200, seed=0)


def by_name(reference, window, noise=NOISE):
    return {drift.name: drift for drift in drifts(reference, window, noise)}


def test_psi_is_the_relative_entropy_both_ways():
    rng = np.random.default_rng(0)
    r, w = rng.integers(0, 50, 7).astype(float), rng.integers(0, 50, 7).astype(float)
    p, q = (r + 0.5) / (r + 0.5).sum(), (w + 0.5) / (w + 0.5).sum()
    assert psi(r, w) == pytest.approx(entropy(p, q) + entropy(q, p))
    assert psi(r, r) == 0
    assert np.isfinite(psi(np.array([10.0, 0]), np.array([0.0, 10])))


def test_differences_have_a_sign():
    assert difference(np.array([9.0, 1]), np.array([6.0, 2])) == pytest.approx(0.25 - 0.1)


def test_every_feature_is_counted_as_a_loop_does():
    reference, window = made_up(seed=1), made_up(seed=2)
    found = by_name(reference, window)
    rows = [row for row in window.table.to_pylist() if row["label"] == 1]

    def share(condition, of=rows):
        return sum(map(condition, of)) / len(of)

    categories = dict(zip(found["category"].bins, found["category"].window, strict=True))
    assert categories["a"] == pytest.approx(share(lambda row: row["category"] == "a"))
    deciles = dict(zip(found["popularity"].bins, found["popularity"].window, strict=True))
    assert deciles["7"] == pytest.approx(share(lambda row: row["popularity_decile"] == 7))
    hours = dict(zip(found["hour"].bins, found["hour"].window, strict=True))
    assert hours["13"] == pytest.approx(share(lambda row: row["time"] // 3_600_000 % 24 == 13))
    unknown = found["unknown_items"]
    assert unknown.window[1] == pytest.approx(share(lambda row: not row["item_known"]))
    assert unknown.value == pytest.approx(unknown.window[1] - unknown.reference[1])
    users = found["unknown_users"].window[1]
    assert users == pytest.approx(share(lambda row: not row["user_known"]))
    for name in ("gap", "history_length", "score"):
        assert found[name].reference == pytest.approx(
            [1 / len(found[name].bins)] * len(found[name].bins), abs=0.08
        )
        assert sum(found[name].window) == pytest.approx(1)
    everything = window.table.to_pylist()
    cut = float(found["score"].bins[0].removeprefix("below "))
    assert found["score"].window[0] == pytest.approx(
        share(lambda row: row["score"] < cut, everything), abs=0.01
    )


def test_a_served_log_is_counted_in_all_its_rows():
    reference, window = made_up(seed=1, kind="predictions"), made_up(seed=2, kind="predictions")
    rows = window.table.to_pylist()
    share = sum(not row["item_known"] for row in rows) / len(rows)
    assert by_name(reference, window)["unknown_items"].window[1] == pytest.approx(share)


def test_rare_categories_are_counted_together_unknown_and_none_apart():
    many = [f"c{number}" for number in range(30)]

    def names(column):
        return np.random.default_rng(3).choice(many, len(column))

    reference = made_up(seed=1, category=names)

    def planted(column):
        chosen = names(column).astype(object)
        chosen[::4] = None
        return pa.array(chosen, pa.string())

    def known(column):
        column = pa.array(column).to_numpy(False).copy()
        column[::6] = False
        return pa.array(column, mask=np.arange(len(column)) % 4 == 0)

    window = made_up(seed=2, category=planted, category_known=known)
    found = by_name(reference, window)["category"]
    assert len(found.bins) == 23
    assert found.bins[20:] == ("other", "unknown to the model", "none")
    clicked = np.flatnonzero(window.clicked)
    assert found.window[22] == pytest.approx(np.mean(clicked % 4 == 0))
    assert found.window[21] == pytest.approx(np.mean((clicked % 6 == 0) & (clicked % 4 > 0)))
    assert found.reference[20] == pytest.approx(1 / 3, abs=0.08)


def test_hours_count_in_whole_days_alone_and_not_below_one():
    window = made_up(seed=2)
    longer = type(window)(window.table, START - DAY // 2, window.end, "log")
    assert by_name(window, longer)["hour"].value == pytest.approx(0, abs=1e-9)
    short = type(window)(window.table, window.end - DAY + 1, window.end, "log")
    assert "hour" not in by_name(window, short)


def test_what_one_side_does_not_tell_is_left_out():
    silent = made_up(
        seed=2,
        category=lambda column: pa.nulls(len(column), pa.string()),
        user_known=lambda column: pa.nulls(len(column), pa.bool_()),
        gap_ms=lambda column: pa.nulls(len(column), pa.int64()),
    )
    assert {"category", "unknown_users", "gap"}.isdisjoint(by_name(silent, made_up(seed=1)))
    left = set(by_name(made_up(seed=1), silent))
    assert {"unknown_users", "gap"}.isdisjoint(left)
    assert by_name(made_up(seed=1), silent)["category"].window[-1] == 1


def test_ties_share_a_bin_and_one_value_is_one_bin():
    binned = features.history_length(
        made_up(seed=1, history_length=lambda column: np.full(len(column), 20)), made_up(seed=2)
    )
    assert binned is not None
    assert binned.bins == ("all",)
    binned = features.history_length(
        made_up(seed=1, history_length=lambda column: 1 + np.arange(len(column)) // WIDTH % 2),
        made_up(seed=2),
    )
    assert binned is not None
    assert binned.bins == ("below 2", "from 2")


def test_sums_of_units_are_those_of_all_rows():
    table = made_up(users=40)
    code = np.where(np.arange(len(table)) % 7 == 0, NOT_COUNTED, np.arange(len(table)) % 3)
    units = sum_by_unit(table, code, 3)
    np.testing.assert_allclose(units.total, [(code == number).sum() for number in range(3)])
    values = table.column("score")
    expected = [values[code == number].sum() for number in range(3)]
    np.testing.assert_allclose(sum_by_unit(table, code, 3, values).total, expected, rtol=1e-5)
    assert units.users == len(np.unique(table.column("user")[code >= 0]))
    assert units.rows == (code >= 0).sum()


def test_without_negatives_units_are_the_users():
    table = made_up(users=40, source=lambda column: pa.nulls(len(column), pa.int64()))
    units = sum_by_unit(table, np.zeros(len(table), dtype=np.int64), 1)
    _, rows = np.unique(table.column("user"), return_counts=True)
    assert sorted(units.sums[:, 0]) == sorted(rows)


def shares_anew(seed, users=150):
    """Share of low scores in a log whose negatives all come from its own events, which differ by user."""
    rng = np.random.default_rng(seed)
    level = rng.normal(0, 1, users)
    events = np.repeat(np.arange(users), 1 + rng.poisson(2, users))
    drawn = events[rng.integers(0, len(events), (len(events), WIDTH - 1))]
    source = np.concatenate([np.full((len(events), 1), -1), drawn], axis=1).ravel()
    owner = np.concatenate([events[:, None], drawn], axis=1).ravel()
    score = 1 / (1 + np.exp(-level[owner] + rng.normal(0, 0.1, len(owner))))
    return np.repeat(events, WIDTH), source, score


def test_errors_are_those_of_drawing_whole_logs_anew():
    """Negatives that come from the window's own users make scores as noisy as the users are."""
    means = np.array([shares_anew(seed)[2].mean() for seed in range(400)])
    estimates = []
    for seed in range(20):
        user, source, score = shares_anew(1000 + seed)
        n = len(user)
        blank = made_up(users=n // 10)
        table = blank.table.slice(0, 0)
        table = pa.table(
            {name: pa.nulls(n, table.schema.field(name).type) for name in table.column_names}
            | {"user": user, "source": pa.array(source, mask=source < 0)}
        )
        observed = type(blank)(table, 0, 1, "log")
        influence = (score - score.mean()) / n
        everything = np.zeros(n, dtype=np.int64)
        estimates.append(sum_by_unit(observed, everything, 1, influence).standard_errors()[0])
    assert np.mean(estimates) == pytest.approx(means.std(ddof=1), rel=0.12)


def test_a_window_stands_for_no_more_rows_than_it_has():
    table = made_up(users=200)
    everything = sum_by_unit(table, np.zeros(len(table), dtype=np.int64), 1)
    assert equivalent_users(everything, everything) == everything.users
    one_row_each = table.select(np.diff(table.column("user"), prepend=-1) > 0)
    few = sum_by_unit(one_row_each, np.zeros(len(one_row_each), dtype=np.int64), 1)
    assert few.users == everything.users
    assert equivalent_users(everything, few) == round(few.rows / everything.rows * everything.users)


def test_noise_of_periods_alike_is_seldom_exceeded_and_drift_is():
    reference = made_up(seed=0)
    exceeded = []
    for seed in range(1, 21):
        found = by_name(reference, made_up(seed=seed))
        exceeded += [abs(drift.value) > drift.noise_limit for drift in found.values()]
    assert np.mean(exceeded) < 0.05
    drifted = made_up(seed=1, item_known=lambda column: column & (np.arange(len(column)) % 10 > 1))
    drift = by_name(reference, drifted)["unknown_items"]
    assert drift.value > drift.noise_limit


def test_the_same_seed_gives_the_same_limits():
    pair = made_up(seed=0), made_up(seed=1)
    assert by_name(*pair) == by_name(*pair)
    other = by_name(*pair, noise=NoiseSettings(quantile=0.99, replicates=200, seed=1))
    assert other["category"].noise_limit != by_name(*pair)["category"].noise_limit


def test_behaviours_are_aligned_by_name():
    rng = np.random.default_rng(0)
    reference = Behaviors(("buy", "pv"), rng.multinomial(100, [0.1, 0.9], 64))
    same = Behaviors(("buy", "pv"), rng.multinomial(100, [0.1, 0.9], 64))
    other = Behaviors(("pv", "share"), rng.multinomial(100, [0.8, 0.2], 64))
    drift = behavior_drift(reference, same, NOISE)
    assert drift is not None
    assert drift.value < drift.noise_limit
    drift = behavior_drift(reference, other, NOISE)
    assert drift is not None
    assert drift.bins == ("buy", "pv", "share")
    assert drift.window == pytest.approx([0, 0.8, 0.2], abs=0.02)
    assert drift.value > drift.noise_limit
    assert behavior_drift(None, other, NOISE) is None
