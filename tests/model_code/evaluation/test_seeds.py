from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from scipy import stats

from model_code.evaluation.evaluate import EvaluationSettings, evaluate
from model_code.evaluation.scores import ScoresError
from model_code.evaluation.seeds import compare_seeds, holm, summarise
from tests.model_code.evaluation.conftest import score_columns


@pytest.fixture
def evaluated(scored):
    """A function that evaluates models of given quality, one a seed of training."""

    def run(name: str, qualities, **settings):
        evaluations = []
        for number, quality in enumerate(qualities):
            noise = np.random.default_rng([len(name), number]).normal(scale=0.3, size=80 * 15)
            logit = (score_columns(quality)["logit"] + noise).astype(np.float32)
            score = (1 / (1 + np.exp(-logit))).astype(np.float32)
            path = scored(f"{name}{number}", quality, logit=logit, score=score)
            evaluations.append(evaluate(path, EvaluationSettings(**settings)))
        return evaluations

    return run


def values(evaluations, metric):
    return [getattr(evaluation.metrics, metric) for evaluation in evaluations]


@pytest.mark.parametrize("metric", ["auc", "log_loss"])
def test_summary_is_mean_and_sample_deviation(evaluated, metric):
    evaluations = evaluated("a", [1.0, 1.1, 1.3])
    found, expected = summarise(evaluations, metric), values(evaluations, metric)
    assert found.values == tuple(expected)
    assert found.mean == pytest.approx(sum(expected) / 3, abs=1e-12)
    assert found.deviation == pytest.approx(
        sqrt(sum((value - found.mean) ** 2 for value in expected) / 2), abs=1e-12
    )


@pytest.mark.parametrize("metric", ["auc", "log_loss"])
def test_difference_is_by_the_formulas(evaluated, metric):
    a, b = evaluated("a", [1.2, 1.3, 1.1]), evaluated("other", [1.0, 1.2, 1.05])
    found = compare_seeds(a, b, metric)

    gaps = [x - y for x, y in zip(values(a, metric), values(b, metric), strict=True)]
    assert found.value == pytest.approx(sum(gaps) / 3, abs=1e-12)
    replicates = len(a[0].replicates.auc)
    draws = []
    for r in range(replicates):
        each = [
            getattr(x.replicates, metric)[r] - getattr(y.replicates, metric)[r]
            for x, y in zip(a, b, strict=True)
        ]
        draws.append(sum(each) / 3)
    users = stats.tstd(draws)
    seeds = stats.sem(gaps)
    assert found.users_error == pytest.approx(users, abs=1e-12)
    assert found.seeds_error == pytest.approx(seeds, abs=1e-12)
    error = sqrt(users**2 + seeds**2)
    freedom = error**4 / (users**4 / (replicates - 1) + seeds**4 / 2)
    assert found.standard_error == pytest.approx(error, abs=1e-12)
    assert found.degrees_of_freedom == pytest.approx(freedom)
    low, high = stats.t.interval(0.95, freedom, found.value, error)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)
    one_sided = stats.t.cdf(-abs(found.value) / error, freedom)
    assert found.p_value == pytest.approx(2 * one_sided, abs=1e-12)
    assert found.seeds == 3
    assert 2 <= found.degrees_of_freedom <= replicates + 1


def test_swapping_the_models_swaps_the_sign_alone(evaluated):
    a, b = evaluated("a", [1.2, 1.3]), evaluated("other", [1.0, 1.2])
    one, two = compare_seeds(a, b, "auc"), compare_seeds(b, a, "auc")
    assert (two.value, two.low, two.high) == pytest.approx((-one.value, -one.high, -one.low))
    assert two.p_value == pytest.approx(one.p_value)


def test_one_seed_says_that_noise_of_training_is_left_out(evaluated):
    a, b = evaluated("a", [1.2]), evaluated("other", [1.0])
    found = compare_seeds(a, b, "auc")
    assert (found.seeds, found.seeds_error) == (1, None)
    assert found.standard_error == found.users_error
    assert found.degrees_of_freedom == pytest.approx(len(a[0].replicates.auc) - 1)
    assert summarise(a, "auc").deviation is None


def test_a_model_does_not_differ_from_itself(evaluated):
    a = evaluated("a", [1.2, 1.3])
    found = compare_seeds(a, a, "auc")
    assert (found.value, found.low, found.high, found.p_value) == (0, 0, 0, 1)
    assert found.degrees_of_freedom is None


def test_a_difference_without_any_noise_is_certain(evaluated):
    [a] = evaluated("a", [1.2])
    better = replace(
        a,
        metrics=replace(a.metrics, auc=a.metrics.auc + 0.5),
        replicates=replace(a.replicates, auc=tuple(np.add(a.replicates.auc, 0.0))),
    )
    found = compare_seeds([better, better], [a, a], "auc")
    assert (found.value, found.p_value) == (pytest.approx(0.5), 0)


def test_what_cannot_be_paired_is_refused(evaluated, scored):
    a = evaluated("a", [1.2, 1.3])
    for other in (a[:1], []):
        with pytest.raises(ValueError, match=f"2 and {len(other)} evaluations cannot be paired"):
            compare_seeds(a, other, "auc")
    with pytest.raises(ValueError, match="0 and 0 evaluations"):
        compare_seeds([], [], "auc")
    with pytest.raises(ValueError, match="no seed"):
        summarise([], "auc")
    with pytest.raises(ValueError, match="different settings"):
        compare_seeds(a, [a[0], *evaluated("other", [1.0], seed=1)], "auc")
    user = score_columns(1.0)["user"] // 2
    others = evaluate(scored("others", 1.0, user=user), EvaluationSettings())
    with pytest.raises(ScoresError, match="not scored on the same samples"):
        compare_seeds(a, [a[0], others], "auc")


def simulated(template, generator, effect, seeds=3, users=60, replicates=50):
    """Evaluations of two models, each metric a mean over users; they differ by ``effect`` and by noise.

    Which users there are, which seed trained and both together move the difference.
    """
    of_user = generator.normal(size=users)
    weights = generator.multinomial(users, np.full(users, 1 / users), size=replicates) / users
    main, other = [], []
    for _ in range(seeds):
        gap = effect + of_user + generator.normal(scale=0.2) + generator.normal(scale=0.5, size=users)
        for model, user_values in ((main, 5 + gap), (other, np.full(users, 5.0))):
            model.append(
                replace(
                    template,
                    metrics=replace(template.metrics, auc=float(user_values.mean())),
                    replicates=replace(template.replicates, auc=tuple(weights @ user_values)),
                )
            )
    return compare_seeds(main, other, "auc")


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_without_a_difference_few_p_values_are_small(scored, seeds):
    template, generator = evaluate(scored("any", 1.0), EvaluationSettings()), np.random.default_rng(seeds)
    runs = 600
    p_values = [simulated(template, generator, 0.0, seeds).p_value for _ in range(runs)]
    false = sum(p_value < 0.05 for p_value in p_values) / runs
    assert 0.01 < false < 0.05 + 2.5 * sqrt(0.05 * 0.95 / runs)
    found = [simulated(template, generator, 1.5, seeds).p_value < 0.05 for _ in range(50)]
    assert sum(found) > 45


def test_holm_adjusts_as_statsmodels_does():
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    generator = np.random.default_rng(0)
    for count in range(1, 13):
        for scale in (1, 0.05):
            p_values = np.round(scale * generator.random(count), 2)  # ties among them
            expected = multitest.multipletests(p_values, method="holm")[1]
            np.testing.assert_allclose(holm(p_values), expected, atol=1e-12)


def test_holm_keeps_the_order_given():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx((0.06, 0.03, 0.06))
    assert holm([]) == ()
