from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from model_code.evaluation.delong import delong, placements
from model_code.evaluation.metrics import MetricError


def literal(label, first, second):
    """DeLong's equations, pair by pair."""
    positives, negatives = np.flatnonzero(label == 1), np.flatnonzero(label == 0)

    def psi(score, i, j):
        return 1.0 if score[i] > score[j] else 0.5 if score[i] == score[j] else 0.0

    v10 = [[np.mean([psi(score, i, j) for j in negatives]) for i in positives] for score in (first, second)]
    v01 = [[np.mean([psi(score, i, j) for i in positives]) for j in negatives] for score in (first, second)]
    covariance = np.cov(v10) / len(positives) + np.cov(v01) / len(negatives)
    contrast = np.array([1.0, -1.0])
    z = (np.mean(v10[0]) - np.mean(v10[1])) / np.sqrt(contrast @ covariance @ contrast)
    return 2 * norm.sf(abs(z))


@pytest.mark.parametrize("seed", range(5))
def test_equals_the_literal_equations_with_ties(seed):
    generator = np.random.default_rng(seed)
    label = (generator.random(60) < 0.4).astype(np.int8)
    first, second = (np.round(generator.normal(size=60) + label, 1) for _ in range(2))
    assert delong(placements(label, first), placements(label, second)) == pytest.approx(
        literal(label, first, second), rel=1e-9
    )


def test_the_mean_placement_of_either_class_is_the_auc():
    generator = np.random.default_rng(9)
    label = (generator.random(80) < 0.3).astype(np.int8)
    score = np.round(generator.normal(size=80), 1)
    for placed in placements(label, score):
        assert placed.mean() == pytest.approx(roc_auc_score(label, score))


def test_equal_scores_do_not_differ():
    label, score = np.array([1, 1, 0, 0]), np.array([0.4, 0.2, 0.3, 0.1])
    assert delong(placements(label, score), placements(label, score)) == 1


def test_one_sample_of_a_class_is_too_few():
    label, score = np.array([1, 0, 0]), np.array([0.3, 0.2, 0.1])
    with pytest.raises(MetricError, match="two samples of each class"):
        delong(placements(label, score), placements(label, score[::-1]))
