"""Who and what the case study looks at, against loops over the log."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from model_code.analysis.cases import as_logged, choose_users, draw_items, group_of, of_different_categories
from model_code.groups import UNKNOWN


def with_test(data, **arrays):
    return replace(data, parts=data.parts | {"test": replace(data.parts["test"], **arrays)})


def test_users_are_taken_with_their_last_sample_and_the_longest_histories(data):
    samples = data.parts["test"]
    history_start = samples.history_end - np.arange(len(samples)) % 5 - 1  # of 1 to 5 events
    shortened = with_test(data, history_start=history_start)
    last = {int(user): row for row, user in enumerate(samples.user)}
    length = samples.history_end - history_start
    usable = [row for user, row in last.items() if data.user[user] != UNKNOWN and length[row] >= 2]

    everyone = choose_users(shortened, 10**6, seed=0)
    assert sorted(everyone) == sorted(usable)
    assert (np.diff(length[everyone]) <= 0).all()
    full = [row for row in usable if length[row] == 5]
    drawn = [tuple(choose_users(shortened, 2, seed)) for seed in range(10)]
    assert all(set(rows) <= set(full) for rows in drawn)
    assert len(set(drawn)) > 1
    assert drawn[3] == tuple(choose_users(shortened, 2, seed=3))


def test_users_that_nothing_can_be_told_of_are_refused(data):
    unknown = replace(data, user=np.full_like(data.user, UNKNOWN))
    short = with_test(data, history_start=data.parts["test"].history_end - 1)
    for useless in (unknown, short):
        with pytest.raises(ValueError, match="no test user"):
            choose_users(useless, 2, seed=0)


@pytest.mark.parametrize("part", ["fit", "test"])
def test_each_known_item_of_the_period_comes_once(data, part):
    size = data.sizes.items - 3  # so that the last three are unknown
    data = replace(data, sizes=data.sizes._replace(items=size))
    events = draw_items(data, part, seed=1)
    expected = {item for item, within in zip(data.item, data.events_in(part), strict=True) if within}
    assert sorted(data.item[events]) == sorted(item for item in expected if item < size)
    assert data.events_in(part)[events].all()


def test_the_first_item_is_drawn_by_popularity(data):
    clicks = Counter(data.item[data.events_in("test")].tolist())
    share = {item: count / clicks.total() for item, count in clicks.items()}
    draws = 2000
    first = Counter(int(data.item[draw_items(data, "test", seed)[0]]) for seed in range(draws))
    expected = np.array([share[item] * draws for item in share])
    found = np.array([first[item] for item in share])
    chi_squared = ((found - expected) ** 2 / expected).sum()
    assert chi_squared < len(share) + 4 * np.sqrt(2 * len(share))
    assert max(share.values()) > 3 * min(share.values())


def test_a_period_without_known_items_is_refused(data):
    with pytest.raises(ValueError, match="the test period holds no item"):
        draw_items(replace(data, sizes=data.sizes._replace(items=2)), "test", seed=0)


def test_categories_come_once_each_before_any_comes_twice(data):
    size = data.sizes.categories - 2  # so that the last two are unknown, and count as one
    data = replace(data, sizes=data.sizes._replace(categories=size))
    events = draw_items(data, "test", seed=2)
    shown = np.where(data.category < size, data.category, UNKNOWN)
    seen, first, others = set(), [], []
    for event in events:
        (others if shown[event] in seen else first).append(event)
        seen.add(shown[event])
    for count in (2, len(first), len(first) + 3, 10**6):
        np.testing.assert_array_equal(of_different_categories(data, events, count), (first + others)[:count])


def test_a_group_has_the_sample_s_history_and_the_events_items(data):
    rows, events = choose_users(data, 3, seed=0), draw_items(data, "test", seed=0)[:4]
    samples = data.parts["test"]
    group = group_of(data, 4, rows, events)
    assert torch.equal(group.candidate_item, torch.from_numpy(data.item[events]).long().expand(3, -1))
    assert torch.equal(group.candidate_category, torch.from_numpy(data.category[events]).long().expand(3, -1))
    for place, row in enumerate(rows):
        history = data.item[samples.history_start[row] : samples.history_end[row]][-4:]
        np.testing.assert_array_equal(group.history_item[place, : len(history)], history)
        assert group.user[place] == data.user[samples.user[row]]


@pytest.mark.parametrize("ids", [[70, 80, 90], ["x", "y", "z"]])
def test_ids_are_as_logged(ids):
    found = as_logged(pa.chunked_array([ids[:1], ids[1:]]), np.array([4, 1, 2, 5, 0], np.int32))
    assert found == (ids[2], None, ids[0], None, None)
