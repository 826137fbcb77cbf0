import numpy as np
import pytest

from benchmarks.measure import fit_batches
from benchmarks.shapes import AXES, CATEGORIES, Shape
from benchmarks.synthetic import synthetic_log
from model_code.sequences.batches import ResidentLog, scoring_batches

SHAPE = Shape(history=20, candidates=5, batch=40, items=500)


def test_lengths_are_uniform_and_ids_within_the_vocabulary():
    data = synthetic_log(SHAPE, users=20_000)
    fit = data.parts["fit"]
    counts = np.bincount(fit.history_end - fit.history_start, minlength=22)
    assert counts[0] == counts[21] == 0
    assert counts[1:21] == pytest.approx(1000, abs=150)
    assert data.item.min() >= 2 and data.item.max() < data.sizes.items == 502
    assert data.category.min() >= 2 and data.category.max() < data.sizes.categories == CATEGORIES + 2
    assert data.item_count.sum() == len(data.item) and len(data.item_count) == data.sizes.items


@pytest.mark.parametrize(("zipf", "first", "last"), [(0.0, 1, 1), (1.0, 10, 1), (0.5, 10**0.5, 1)])
def test_frequencies_follow_the_rank(zipf, first, last):
    count = synthetic_log(Shape(history=50, items=10, candidates=2, zipf=zipf), users=4000).item_count[2:]
    assert count[0] / count[-1] == pytest.approx(first / last, rel=0.1)


def test_groups_gather():
    data = synthetic_log(SHAPE, users=200)
    resident = ResidentLog.of(data)
    groups = list(fit_batches(data, resident, SHAPE).epoch(0))
    assert groups[0].candidate_item.shape == (SHAPE.groups, 5)
    assert groups[0].history_item.shape == (SHAPE.groups, 20)
    assert sum(len(group.user) for group in groups) == 200
    scored = list(scoring_batches(data, resident, "test", 64))
    assert sum(len(group.user) for group in scored) == 200


def test_almost_no_group_of_the_measured_shapes_is_dropped():
    most = max(AXES[1].values)
    assert len(synthetic_log(Shape(candidates=most), users=500).parts["test"]) > 490


def test_a_shape_says_what_differs_from_the_base():
    assert str(Shape()) == "base shape"
    assert str(Shape(history=20, zipf=0.0)) == "history 20, zipf 0.0"
    assert Shape().groups == 26
