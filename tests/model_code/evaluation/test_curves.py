from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import auc as area
from sklearn.metrics import roc_auc_score
from sklearn.metrics import roc_curve as sklearn_roc_curve

from model_code.evaluation.curves import ROC_POINTS, roc_curve, score_histogram


def samples(size, levels):
    generator = np.random.default_rng(size)
    label = (generator.random(size) < 0.2).astype(np.int8)
    return label, np.round((generator.normal(size=size) + label) * levels) / levels


def test_every_roc_point_lies_on_scikit_learns_curve():
    label, score = samples(500, levels=5)
    curve = roc_curve(label, score)
    false, true, _ = sklearn_roc_curve(label, score, drop_intermediate=False)
    full = set(zip(false.round(12), true.round(12), strict=True))
    thinned = zip(
        np.round(curve.false_positive_rate, 12), np.round(curve.true_positive_rate, 12), strict=True
    )
    assert set(thinned) <= full


def test_the_thinned_roc_curve_is_short_monotone_and_keeps_the_area():
    label, score = samples(50_000, levels=10_000)
    curve = roc_curve(label, score)
    assert len(curve.false_positive_rate) <= ROC_POINTS + 2
    assert (np.diff(curve.false_positive_rate) >= 0).all()
    assert (curve.false_positive_rate[0], curve.true_positive_rate[-1]) == (0, 1)
    thinned = area(curve.false_positive_rate, curve.true_positive_rate)
    assert thinned == pytest.approx(roc_auc_score(label, score), abs=1e-3)


def test_the_histogram_holds_every_sample():
    label, logit = samples(5000, levels=10_000)
    logit[0] = 1e6  # an outlier counts in the last bin and does not stretch the axis
    histogram = score_histogram(label, logit)
    assert sum(histogram.negatives) == pytest.approx(1)
    assert sum(histogram.positives) == pytest.approx(1)
    assert histogram.edges[-1] < 100
    inner = (logit[label == 1] >= histogram.edges[10]) & (logit[label == 1] < histogram.edges[11])
    assert histogram.positives[10] == pytest.approx(inner.mean())


def test_the_histogram_of_a_constant_scorer_has_a_width():
    histogram = score_histogram(np.array([0, 1, 0]), np.zeros(3))
    assert (histogram.edges[0], histogram.edges[-1]) == (-0.5, 0.5)
