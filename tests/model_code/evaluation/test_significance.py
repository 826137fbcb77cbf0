from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest
from sklearn.metrics import log_loss, roc_auc_score

from model_code.evaluation import metrics, significance
from model_code.evaluation.metrics import MetricError
from model_code.evaluation.significance import Ranking, bootstrap, difference, estimate, p_value

TIED_SCORES = st.sampled_from([0.1, 0.2, 0.3, 0.7])


def sigmoid(logit):
    return 1 / (1 + np.exp(-logit))


def simulate(generator, users, quality, taste=1.0):
    """Groups of one positive and four negatives; users differ in how well they are predicted."""
    groups = generator.integers(1, 4, users)
    user = np.repeat(np.arange(users), groups * 5)
    label = np.tile(np.array([1, 0, 0, 0, 0], np.int8), groups.sum())
    signal = (quality + taste * generator.normal(size=users))[user] * label
    return label, signal + generator.normal(size=len(label)), user


@given(
    st.lists(st.tuples(st.integers(0, 1), TIED_SCORES, st.integers(0, 3)), min_size=2, max_size=40), st.data()
)
def test_weighted_auc_equals_scikit_learns(samples, data):
    label, score, user = (np.array(column) for column in zip(*samples, strict=True))
    if len(np.unique(label)) == 1:
        return
    weight = np.array(data.draw(st.lists(st.integers(0, 5), min_size=4, max_size=4)), np.int32)
    ranking = Ranking(label, score, user)
    drawn = weight[user]
    if drawn[label == 1].sum() == 0 or drawn[label == 0].sum() == 0:
        with pytest.raises(MetricError, match="one class only"):
            ranking.auc(weight)
    else:
        expected = roc_auc_score(label, score, sample_weight=drawn)
        assert ranking.auc(weight) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("block", [1, 7, 1 << 17])
@pytest.mark.parametrize("heaviest", [3, 300])  # a byte, and more than one
def test_weighted_auc_does_not_depend_on_how_samples_are_cut_into_blocks(block, heaviest, monkeypatch):
    monkeypatch.setattr(significance, "BLOCK", block)
    generator = np.random.default_rng(8)
    label, logit, user = simulate(generator, users=20, quality=1)
    score = np.round(logit, 1)  # ties, across blocks too
    weight = generator.integers(heaviest + 1, size=20)
    expected = roc_auc_score(label, score, sample_weight=weight[user])
    assert Ranking(label, score, user).auc(weight) == pytest.approx(expected, abs=1e-12)


def test_a_replicate_is_the_metric_of_the_drawn_users_samples():
    label, logit, user = simulate(np.random.default_rng(0), users=30, quality=1)
    label[user == 4] = 0  # one user without a positive
    score = sigmoid(logit)
    replicates = bootstrap(label, score, user + 100, replicates=3, seed=5)
    generator = np.random.default_rng(5)
    for replicate in range(3):
        drawn = generator.integers(30, size=30)
        rows = np.concatenate([np.flatnonzero(user == one) for one in drawn])
        copies = np.concatenate([np.full((user == one).sum(), copy) for copy, one in enumerate(drawn)])
        assert replicates.auc[replicate] == pytest.approx(roc_auc_score(label[rows], score[rows]))
        assert replicates.log_loss[replicate] == pytest.approx(log_loss(label[rows], score[rows]))
        expected = metrics.gauc(label[rows], score[rows], copies).value
        assert replicates.gauc[replicate] == pytest.approx(expected)


def test_equal_seeds_draw_the_same_users_for_other_scores_and_other_orders():
    label, logit, user = simulate(np.random.default_rng(1), users=40, quality=1)
    shuffled = np.random.default_rng(2).permutation(len(label))
    first = bootstrap(label, sigmoid(logit), user, replicates=10, seed=0)
    again = bootstrap(label[shuffled], sigmoid(logit)[shuffled], user[shuffled], replicates=10, seed=0)
    np.testing.assert_allclose(first.auc, again.auc, atol=1e-12)
    same_order = bootstrap(label, sigmoid(3 * logit - 1), user, replicates=10, seed=0)
    assert first.auc == same_order.auc
    assert first.auc != bootstrap(label, sigmoid(logit), user, replicates=10, seed=1).auc


def test_too_few_users_are_an_error():
    label, score = np.array([1, 0, 0]), np.array([0.5, 0.4, 0.3])
    with pytest.raises(MetricError, match="two of them or more"):
        bootstrap(label, score, np.zeros(3, np.int64), replicates=5, seed=0)
    with pytest.raises(MetricError, match="too few users"):
        bootstrap(label, score, np.array([0, 1, 1]), replicates=50, seed=0)


def test_without_users_of_both_classes_there_is_no_gauc():
    label = np.tile([1, 0], 20)
    assert bootstrap(label, label * 0.5 + 0.1, np.arange(40), replicates=5, seed=0).gauc is None


def test_the_interval_covers_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(3)
    truth = metrics.auc(*simulate(generator, users=50_000, quality=0.8)[:2])
    hits = 0
    for _ in range(200):
        label, logit, user = simulate(generator, users=150, quality=0.8)
        replicates = bootstrap(
            label, sigmoid(logit), user, replicates=100, seed=int(generator.integers(1 << 30))
        )
        interval = estimate(metrics.auc(label, logit), replicates.auc, confidence=0.9)
        hits += interval.low <= truth <= interval.high
    assert 0.84 <= hits / 200 <= 0.96


def paired(generator, gain):
    """Two scores of the same samples, the first better by ``gain``, each with its own noise."""
    label, logit, user = simulate(generator, users=150, quality=0.8)
    first, second = (logit + shift * label + 0.5 * generator.normal(size=len(label)) for shift in (gain, 0))
    seed = int(generator.integers(1 << 30))
    a, b = (bootstrap(label, sigmoid(score), user, replicates=100, seed=seed) for score in (first, second))
    return difference(metrics.auc(label, first) - metrics.auc(label, second), a.auc, b.auc, confidence=0.95)


def test_p_values_are_uniform_when_models_are_equally_good():
    generator = np.random.default_rng(4)
    p_values = [paired(generator, gain=0).p_value for _ in range(200)]
    assert kstest(p_values, "uniform").pvalue > 0.01


def test_a_real_difference_is_found():
    result = paired(np.random.default_rng(5), gain=0.4)
    assert result.p_value < 0.01
    assert 0 < result.low < result.value < result.high


def test_the_p_value_agrees_with_the_interval():
    main, other = (tuple(np.random.default_rng(seed).normal(size=50)) for seed in (6, 7))
    edge = estimate(0.0, tuple(np.subtract(main, other)), confidence=0.95).high
    for value, within in ((0.99 * edge, True), (-1.01 * edge, False)):
        result = difference(value, main, other, confidence=0.95)
        assert (result.low <= 0 <= result.high) == (result.p_value > 0.05) == within


def test_equal_models_have_p_one_and_a_constant_gap_p_zero():
    assert p_value(0.0, 0.0) == 1
    assert p_value(0.1, 0.0) == 0
    assert p_value(1.959964, 1.0) == pytest.approx(0.05, abs=1e-6)
