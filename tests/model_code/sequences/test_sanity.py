from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from model_code.sequences.data import SequenceData
from model_code.sequences.sanity import ClickRates, fit_groups


@pytest.fixture(scope="module")
def stale(make_split):
    """News: each item is read for a while after it appears, half the items by far more people."""
    r = np.random.default_rng(2)
    count, items, span = 24_000, 3000, 10**9
    item = r.integers(0, items, count)
    item = np.where(r.random(count) < 0.7, item // 2 * 2, item)
    log = pd.DataFrame({"user_id": r.integers(0, 2500, count), "item_id": item, "category_id": item % 9})
    log["timestamp"] = (item / items * span + r.exponential(span / 60, count)).astype(np.int64)
    return make_split(log)


@pytest.fixture(scope="module")
def by_block(stale, prepare) -> SequenceData:
    return prepare(stale, negative_block=100)


@pytest.fixture(scope="module")
def by_period(stale, prepare) -> SequenceData:
    return prepare(stale, negative_sampling="period_popularity")


def oracle(data: SequenceData) -> float:
    """AUC of a scorer that knows when each item is read, and the time, but nothing of the user."""
    first = np.full(data.identities, np.iinfo(np.int64).max)
    np.minimum.at(first, data.item, data.timestamp)
    samples = data.parts["test"]
    event = np.column_stack([samples.position, samples.negatives])
    age = np.abs(data.timestamp[samples.position][:, None] - first[data.item[event]])
    label = np.zeros(age.shape)
    label[:, 0] = 1
    return float(roc_auc_score(label.ravel(), -age.ravel()))


@pytest.mark.parametrize("part", ["validation", "test"])
@pytest.mark.parametrize("name", ["auc_popularity", "auc_known", "auc_candidate"])
def test_scorers_without_the_user_tell_nothing_in_a_block(
    by_block: SequenceData, part: str, name: str
) -> None:
    result = by_block.manifest["sanity"][part]
    # The variance of an AUC of equal distributions is about 1 / (12 positives): five of its roots, and .01
    # for the user's own items, which only the negatives lack.
    assert abs(result[name] - 0.5) < 5 / np.sqrt(12 * result["groups"]) + 0.01


def test_negatives_of_the_whole_period_give_the_time_away(
    by_block: SequenceData, by_period: SequenceData
) -> None:
    assert abs(oracle(by_block) - 0.5) < 0.06
    assert oracle(by_period) > 0.75


def test_uniform_negatives_give_popularity_away(random_log, make_split, prepare) -> None:
    split = make_split(random_log(4, users=300, items=400, events=6000))
    assert prepare(split, negative_sampling="uniform").manifest["sanity"]["test"]["auc_popularity"] > 0.56


def test_popularity_and_known_items_score_as_by_sklearn(data: SequenceData) -> None:
    samples, result = data.parts["test"], data.manifest["sanity"]["test"]
    item = data.item[np.column_stack([samples.position, samples.negatives])]
    label = np.zeros(item.shape)
    label[:, 0] = 1
    known = item < data.sizes.items
    for name, score in (("auc_known", known), ("auc_popularity", data.item_count[np.where(known, item, 1)])):
        assert result[name] == pytest.approx(roc_auc_score(label.ravel(), score.ravel()), abs=1e-12)


def test_shares_equal_loops(data: SequenceData) -> None:
    samples, result = data.parts["test"], data.manifest["sanity"]["test"]
    repeated, unknown = [], []
    assert samples.negatives is not None
    for row in range(len(samples)):
        history = set(data.item[samples.history_start[row] : samples.history_end[row]].tolist())
        items = data.item[[samples.position[row], *samples.negatives[row]]].tolist()
        repeated.append([item in history for item in items])
        unknown.append([item >= data.sizes.items for item in items])
    for name, table in (("history", np.array(repeated)), ("unknown", np.array(unknown))):
        assert result[name]["positive"] == pytest.approx(table[:, 0].mean())
        assert result[name]["negative"] == pytest.approx(table[:, 1:].mean())
        assert table[:, 1:].any()


def test_click_rates_back_off_from_item_to_category_to_all(data: SequenceData) -> None:
    rates = ClickRates(
        item_clicks=np.array([0.0, 3.0]), item_shown=np.array([0.0, 10.0]), category_rate=np.array([0.1, 0.4])
    )
    scores = rates.of(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]))
    assert scores.tolist() == pytest.approx([0.1, 0.4, (3 + 1) / 20, (3 + 4) / 20])
    fitted = ClickRates.fit(data, fit_groups(data)[0])
    base = 1 / (1 + data.settings.negatives_per_positive)
    assert fitted.item_clicks.sum() / fitted.item_shown.sum() == pytest.approx(base)
    assert fitted.item_clicks.sum() == len(data.parts["fit"])
    late = data.category >= data.sizes.categories
    assert late.any()
    assert fitted.category_rate[data.category[late]] == pytest.approx(base)
