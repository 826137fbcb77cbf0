import numpy as np
import pytest

from model_code.analysis.interest_map import interest_map


def vectors(spread, candidates=12, interests=3, width=8):
    """Interests with centres of their own, scattered by ``spread`` about them."""
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(interests, width))
    return (centres + spread * generator.normal(size=(candidates, interests, width))).astype(np.float32)


def silhouette(points, label):
    """By the definition of Rousseeuw (1987), one point at a time."""
    values = []
    for i in range(len(points)):
        distances = {}
        for j in range(len(points)):
            if j != i:
                distances.setdefault(label[j], []).append(np.linalg.norm(points[i] - points[j]))
        mean = {other: sum(found) / len(found) for other, found in distances.items()}
        within = mean.pop(label[i])
        without = min(mean.values())
        values.append((without - within) / max(within, without))
    return sum(values) / len(values)


def test_points_are_of_each_candidate_and_interest_in_turn():
    v = vectors(0.3)
    items = tuple(f"item {number}" for number in range(12))
    found = interest_map("someone", items, v, seed=0)
    assert found.user == "someone"
    assert found.interest == (0, 1, 2) * 12
    assert found.item == tuple(item for item in items for _ in range(3))
    assert np.shape(found.points) == (36, 2)
    assert found.silhouette == pytest.approx(silhouette(v.reshape(36, 8), found.interest), abs=1e-6)


def test_interests_that_cluster_lie_apart_in_the_plane_and_score_high():
    items = tuple(range(12))
    apart, mixed = (
        interest_map(1, items, vectors(0.01), seed=0),
        interest_map(1, items, vectors(20.0), seed=0),
    )
    assert apart.silhouette > 0.9
    assert mixed.silhouette < 0.2
    points, interest = np.array(apart.points), np.array(apart.interest)
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1) + np.diag(np.full(36, np.inf))
    np.testing.assert_array_equal(interest[distance.argmin(axis=1)], interest)


def test_the_seed_fixes_the_map():
    v = vectors(0.3)
    assert interest_map(1, tuple(range(12)), v, seed=3) == interest_map(1, tuple(range(12)), v, seed=3)


@pytest.mark.parametrize(("candidates", "interests"), [(2, 1), (2, 2), (3, 1), (40, 1)])
def test_few_points_and_a_single_interest(candidates, interests):
    v = vectors(0.3, candidates, interests)
    found = interest_map(1, tuple(range(candidates)), v, seed=0)
    assert np.isfinite(found.points).all()
    assert (found.silhouette is None) == (interests == 1)


def test_one_candidate_is_refused():
    with pytest.raises(ValueError, match="two candidates or more, not 1"):
        interest_map(1, (5,), vectors(0.3, candidates=1), seed=0)
