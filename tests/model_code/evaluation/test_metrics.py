from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve as sklearn_calibration_curve
from sklearn.metrics import log_loss as sklearn_log_loss
from sklearn.metrics import roc_auc_score

from model_code.evaluation import metrics
from model_code.evaluation.metrics import MetricError

TIED_SCORES = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])
SAMPLES = st.lists(st.tuples(st.integers(0, 1), TIED_SCORES, st.integers(0, 4)), min_size=1, max_size=60)


def columns(samples):
    label, score, user = zip(*samples, strict=True)
    return np.array(label, np.int8), np.array(score, np.float32), np.array(user, np.int64)


@given(SAMPLES)
def test_auc_equals_scikit_learn_with_ties(samples):
    label, score, _ = columns(samples)
    if len(set(label.tolist())) == 1:
        with pytest.raises(MetricError, match="needs both classes"):
            metrics.auc(label, score)
    else:
        assert metrics.auc(label, score) == pytest.approx(roc_auc_score(label, score), abs=1e-12)


@given(SAMPLES)
def test_log_loss_equals_scikit_learn_at_zero_and_one_too(samples):
    label, score, _ = columns(samples)
    expected = sklearn_log_loss(label, score, labels=[0, 1])
    assert metrics.log_loss(label, score) == pytest.approx(expected, rel=1e-6, abs=1e-7)


@given(SAMPLES)
def test_gauc_is_the_mean_of_scikit_learns_auc_by_user(samples):
    label, score, user = columns(samples)
    aucs, sizes, left_out = [], [], 0
    for one in np.unique(user):
        own = user == one
        if len(set(label[own].tolist())) == 1:
            left_out += 1
        else:
            aucs.append(roc_auc_score(label[own], score[own]))
            sizes.append(own.sum())
    grouped = metrics.gauc(label, score, user)
    assert (grouped.users, grouped.users_left_out) == (len(np.unique(user)), left_out)
    if aucs:
        assert grouped.value == pytest.approx(np.average(aucs, weights=sizes), abs=1e-12)
    else:
        assert grouped.value is None


@given(SAMPLES, st.randoms(use_true_random=False))
def test_no_metric_depends_on_the_order_of_the_samples(samples, random):
    shuffled = random.sample(samples, len(samples))
    if len({label for label, _, _ in samples}) == 1:
        return
    first, second = (metrics.measure(*columns(rows), calibration_bins=5) for rows in (samples, shuffled))
    for name, value in vars(first).items():
        assert value == pytest.approx(getattr(second, name), abs=1e-12), name


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_user_aucs_are_exact_with_ties_and_negative_scores(dtype):
    generator = np.random.default_rng(0)
    user = np.repeat(np.arange(30), generator.integers(1, 40, 30))
    label = (generator.random(len(user)) < 0.3).astype(np.int8)
    score = np.round(generator.normal(size=len(user)), 1).astype(dtype)
    order = generator.permutation(len(user))
    by_user = metrics.user_aucs(label[order], score[order], user[order])
    assert by_user.samples.tolist() == np.bincount(user).tolist()
    for one, auc in enumerate(by_user.auc):
        own = user == one
        both = 0 < label[own].sum() < own.sum()
        np.testing.assert_equal(auc, metrics.auc(label[own], score[own]) if both else np.nan)


@given(st.lists(st.integers(-(2**62), 2**62) | st.integers(0, 3), min_size=1, max_size=30))
def test_users_are_numbered_in_their_order(users):
    numbers = {user: number for number, user in enumerate(sorted(set(users)))}
    codes = metrics.user_codes(np.array(users))
    assert codes.tolist() == [numbers[user] for user in users]
    assert codes.dtype == np.int32


def test_gauc_keeps_users_apart_who_share_scores():
    label, score = np.array([1, 0, 1, 0]), np.array([0.2, 0.1, 0.9, 0.8])
    assert metrics.auc(label, score) == 0.75
    assert metrics.gauc(label, score, np.array([7, 7, 3, 3])).value == 1.0


def test_normalized_entropy_of_predicting_the_base_rate_is_one():
    label = np.array([1, 0, 0, 0])
    measured = metrics.measure(label, np.full(4, 0.25), np.array([0, 0, 1, 1]), calibration_bins=15)
    assert measured.normalized_entropy == pytest.approx(1)
    assert measured.calibration_error == pytest.approx(0)
    assert (measured.samples, measured.positives, measured.users) == (4, 1, 2)
    assert (measured.base_rate, measured.mean_prediction) == (0.25, 0.25)
    assert measured.gauc_users_left_out == 1


def test_calibration_bins_without_ties_equal_scikit_learns_quantile_bins():
    generator = np.random.default_rng(0)
    score = generator.random(3000)
    label = (generator.random(3000) < score**2).astype(np.int8)
    curve = metrics.calibration_curve(label, score, 15)
    observed, predicted = sklearn_calibration_curve(label, score, n_bins=15, strategy="quantile")
    assert curve.samples == (200,) * 15
    np.testing.assert_allclose(curve.mean_prediction, predicted, atol=1e-3)
    np.testing.assert_allclose(curve.observed_rate, observed, atol=5e-3)
    assert metrics.calibration_error(curve) == pytest.approx(np.mean(np.abs(score - score**2)), abs=0.02)


def test_equal_scores_share_a_calibration_bin():
    label = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
    curve = metrics.calibration_curve(label, np.repeat([0.1, 0.6], [8, 2]), 5)
    assert curve.samples == (8, 2)
    assert curve.observed_rate == (3 / 8, 0)


def test_a_calibrated_scorer_has_a_small_calibration_error_and_a_biased_one_has_not():
    generator = np.random.default_rng(1)
    score = generator.random(100_000)
    label = (generator.random(100_000) < score).astype(np.int8)
    assert metrics.calibration_error(metrics.calibration_curve(label, score, 15)) < 0.01
    assert metrics.calibration_error(metrics.calibration_curve(label, score / 2, 15)) == pytest.approx(
        0.25, abs=0.01
    )


@pytest.mark.parametrize(
    ("label", "score", "message"),
    [
        ([], [], "no samples"),
        ([0, 1], [0.5], "2 labels but 1 scores"),
        ([0, 2], [0.5, 0.5], "label 2 at sample 1"),
        ([0, 1, 1], [0.5, np.nan, np.inf], "2 scores are not finite, the first at sample 1"),
        ([0, 1], [0.5, 1.5], "no probabilities"),
    ],
)
def test_unusable_samples_are_refused(label, score, message):
    label, score = np.array(label, np.int8), np.array(score, np.float32)
    with pytest.raises(MetricError, match=message):
        metrics.measure(label, score, np.zeros(len(label), np.int64), calibration_bins=15)
