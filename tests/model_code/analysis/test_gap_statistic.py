"""The gap statistic: against sums over pairs, and on points whose clusters are known."""

from math import log, sqrt

import numpy as np
import pytest
from sklearn.cluster import KMeans

from model_code.analysis.gap_statistic import dispersion, gap_statistic, reference_sets

SMALL = {"clusters": 4, "references": 5, "starts": 2, "seed": 7}


def literal_dispersion(points, label):
    total = 0.0
    for cluster in set(label):
        members = [point for point, own in zip(points, label, strict=True) if own == cluster]
        pairs = 0.0
        for a in members:
            for b in members:
                pairs += sum((x - y) ** 2 for x, y in zip(a, b, strict=True))
        total += pairs / (2 * len(members))
    return total


def literal_gap(points, clusters, references, starts, seed):
    def log_w(points, k):
        label = KMeans(k, n_init=starts, random_state=seed).fit(points).labels_
        return log(literal_dispersion(points.tolist(), label.tolist()))

    sets, gap, error = list(reference_sets(points, references, seed)), [], []
    for k in range(1, clusters + 1):
        drawn = [log_w(reference, k) for reference in sets]
        mean = sum(drawn) / references
        deviation = sqrt(sum((value - mean) ** 2 for value in drawn) / references)
        gap.append(mean - log_w(points, k))
        error.append(deviation * sqrt(1 + 1 / references))
    chosen = next((k for k in range(1, clusters) if gap[k - 1] >= gap[k] - error[k]), None)
    return gap, error, chosen


def gaussians(centres, each=40, spread=1.0, width=3):
    generator = np.random.default_rng(1)
    centre = np.zeros((len(centres), width))
    centre[:, :2] = centres
    points = centre[:, None] + spread * generator.normal(size=(len(centres), each, width))
    return points.reshape(-1, width)


def test_dispersion_is_the_sum_over_pairs():
    generator = np.random.default_rng(0)
    points, label = generator.normal(3, 2, size=(30, 4)), generator.integers(5, size=30)
    assert dispersion(points, label) == pytest.approx(literal_dispersion(points, label), abs=1e-9)


@pytest.mark.parametrize("centres", [[(0, 0)], [(0, 0), (9, 0), (0, 9)]])
def test_gap_error_and_choice_are_the_papers(centres):
    points = gaussians(centres, each=15)
    found = gap_statistic(points, **SMALL)
    gap, error, chosen = literal_gap(points, **SMALL)
    np.testing.assert_allclose(found.gap, gap, atol=1e-9)
    np.testing.assert_allclose(found.error, error, atol=1e-9)
    assert (found.chosen, found.vectors) == (chosen, len(points))


@pytest.mark.parametrize(
    "centres",
    [[(0, 0)], [(0, 0), (9, 0)], [(0, 0), (9, 0), (0, 9)], [(0, 0), (9, 0), (0, 9), (9, 9)]],
    ids=["one blob", "two", "three", "four"],
)
def test_finds_the_planted_number_of_clusters(centres):
    found = gap_statistic(gaussians(centres), clusters=7, references=20, starts=4, seed=0)
    assert found.chosen == len(centres)


def test_reference_sets_fill_the_box_along_the_principal_axes():
    generator = np.random.default_rng(2)
    along = generator.uniform(-1, 1, size=(400, 2)) * [10, 1]
    turn = np.array([[1, 1], [-1, 1]]) / sqrt(2)
    points = along @ turn + 50
    sets = np.stack(list(reference_sets(points, 40, seed=0)))
    assert sets.shape == (40, 400, 2)
    back = np.sort(np.abs((sets - points.mean(axis=0)) @ turn.T).reshape(-1, 2).max(axis=0))
    np.testing.assert_allclose(back, [1, 10], rtol=0.15)
    assert np.corrcoef(sets.reshape(-1, 2).T)[0, 1] == pytest.approx(np.corrcoef(points.T)[0, 1], abs=0.02)
    assert not np.array_equal(sets[0], sets[1])


def test_none_is_chosen_where_the_gap_only_grows():
    points = gaussians([(0, 0), (9, 0)])
    assert gap_statistic(points, clusters=2, references=10, starts=4, seed=0).chosen is None


def test_too_few_distinct_points_are_refused():
    points = np.repeat(gaussians([(0, 0)], each=4), 10, axis=0)
    with pytest.raises(ValueError, match="up to 4 clusters needs more distinct points than 4"):
        gap_statistic(points, **SMALL)
