"""Metrics of windows against scikit-learn and the bootstrap over users, and what counts as worse."""

import numpy as np
import pyarrow as pa
import pytest
from made_up import made_up
from sklearn.metrics import log_loss, roc_auc_score

from model_code.evaluation.significance import bootstrap
from model_code.monitoring.noise import NoiseSettings
from model_code.monitoring.quality import compare_quality

NOISE = NoiseSettings(quantile=0.999, replicates=1000, seed=0)


def alone(column):
    """Negatives that come from elsewhere: then rows share nothing but their user."""
    return pa.nulls(len(column), pa.int64())


def changes(reference, window):
    found = compare_quality(reference, window, NOISE)
    assert found is not None
    return found, {change.name: change for change in found.changes}


def test_metrics_are_scikit_learns():
    window = made_up(seed=1)
    found, _ = changes(made_up(seed=0), window)
    label, score = window.column("label"), window.column("score").astype(np.float64)
    assert found.window.auc.value == pytest.approx(roc_auc_score(label, score), abs=1e-9)
    assert found.window.log_loss.value == pytest.approx(log_loss(label, score), abs=1e-6)
    assert found.window.bias.value == pytest.approx(score.mean() / label.mean() - 1, abs=1e-6)
    assert found.window.rows == len(window)
    assert found.window.clicks == label.sum()


@pytest.mark.parametrize("name", ["auc", "log_loss"])
def test_intervals_are_those_of_the_bootstrap_over_users(name):
    window = made_up(seed=1, source=alone)
    found, _ = changes(made_up(seed=0), window)
    estimate = getattr(found.window, name)
    draws = bootstrap(window.column("label"), window.column("score"), window.column("user"), 1000, 0)
    error = np.std(getattr(draws, name), ddof=1)
    assert (estimate.high - estimate.low) / 2 / 1.96 == pytest.approx(error, rel=0.1)


def test_a_worse_model_is_found_and_a_better_one_is_no_finding():
    good, bad = made_up(seed=0, quality=2.5), made_up(seed=1, quality=1.0)
    _, found = changes(good, bad)
    assert found["auc"].worse > found["auc"].noise_limit > 0
    assert found["auc"].difference.high < 0
    _, found = changes(bad, good)
    assert found["auc"].worse < 0


def test_noise_is_seldom_exceeded():
    reference = made_up(seed=0)
    exceeded = [
        change.worse > change.noise_limit
        for seed in range(1, 31)
        for change in changes(reference, made_up(seed=seed))[1].values()
    ]
    assert sum(exceeded) <= 1


def test_rows_without_a_label_are_left_out():
    window = made_up(seed=1)
    half = made_up(seed=1, label=lambda column: pa.array(column, mask=np.arange(len(column)) % 10 >= 5))
    found, _ = changes(made_up(seed=0), half)
    assert found.window.rows == (np.arange(len(window)) % 10 < 5).sum()


@pytest.mark.parametrize(
    "label",
    [
        lambda column: pa.nulls(len(column), pa.int8()),
        lambda column: np.zeros(len(column), np.int8),
        lambda column: np.ones(len(column), np.int8),
    ],
    ids=["none", "no clicks", "clicks only"],
)
def test_without_both_classes_there_is_nothing_to_compare(label):
    assert compare_quality(made_up(seed=0), made_up(seed=1, label=label), NOISE) is None
    assert compare_quality(made_up(seed=0), made_up(seed=1, users=1), NOISE) is None
