from __future__ import annotations

from dataclasses import replace

import pytest

from model_code.evaluation.comparison import Comparison, Differences
from model_code.evaluation.gates import GateSettings, decide
from model_code.evaluation.metrics import Metrics
from model_code.evaluation.significance import Difference
from model_code.settings import SettingsError, parse

METRICS = Metrics(
    samples=1000,
    positives=100,
    users=50,
    auc=0.7,
    log_loss=0.29,
    gauc=0.69,
    gauc_users_left_out=0,
    normalized_entropy=0.9,
    calibration_error=0.01,
    base_rate=0.1,
    mean_prediction=0.105,
)


def differences(auc, log_loss=-0.01):
    """The main model's gain, each interval ± 0.01."""
    auc_, loss = (Difference(value, value - 0.01, value + 0.01, 0.5) for value in (auc, log_loss))
    return Differences(auc=auc_, log_loss=loss, gauc=None, delong_p_value=0.5)


def verdict(metrics=METRICS, failures=(), popularity=0.5, known=0.5, baseline=0.0, champion=None, **gates):
    return decide(
        GateSettings(**gates),
        metrics,
        critical_failures=failures,
        sanity_aucs={"popularity": popularity, "known": known},
        baselines=Comparison("deminet", {"din": differences(baseline)}),
        champion=champion,
    )


def failed(**situation):
    result = verdict(**situation)
    names = [check.name for check in result.checks if not check.passed]
    assert result.passed == (names == [])
    return names


def test_a_good_first_model_passes_and_every_check_gives_its_reason():
    result = verdict()
    assert result.passed
    reasons = {check.name: check.reason for check in result.checks}
    assert reasons == {
        "Data validation": "no critical expectation failed",
        "Negatives give nothing away": "scorers that know nothing of the user have AUC popularity 0.5000,"
        " known 0.5000; within 0.05 of 0.5 is allowed",
        "Margin over popularity": "AUC 0.7000 is +0.2000 from popularity's 0.5000; at least +0.0200 is asked",
        "Not worse than din": "AUC differs by +0.0000 (-0.0100 to +0.0100): within noise",
        "Not worse than the champion": "no champion yet",
        "Mean prediction": "the mean prediction 0.1050 is +5.0% from the base rate 0.1000;"
        " up to 20% either way is allowed",
        "Calibration error": "predicted and observed click rates are 0.0100 apart on average;"
        " up to 0.0300 is allowed",
    }


def test_critical_validation_failures_are_named():
    result = verdict(failures=["timestamps in window", "ids present"])
    assert not result.passed
    assert result.checks[0].reason == "2 critical expectations failed: timestamps in window, ids present"


def test_popularity_must_be_beaten_by_the_margin():
    assert failed(popularity=0.69, max_sanity_deviation=0.5) == ["Margin over popularity"]
    assert failed(popularity=0.69, max_sanity_deviation=0.5, min_auc_over_popularity=0.005) == []


@pytest.mark.parametrize(
    ("must_beat", "gain", "expected"),
    [
        ("not_worse", -0.009, []),
        ("not_worse", -0.011, ["Not worse than din"]),
        ("significantly", 0.009, ["Better than din"]),
        ("significantly", 0.011, []),
        ("off", -0.5, []),
    ],
)
def test_baselines(must_beat, gain, expected):
    assert failed(baseline=gain, must_beat=must_beat) == expected


def test_the_champion_binds_auc_and_log_loss_beyond_noise():
    assert failed(champion=differences(-0.009, 0.009)) == []
    assert failed(champion=differences(-0.011, 0.009)) == ["AUC not worse than the champion's"]
    assert failed(champion=differences(0.05, 0.011)) == ["Log loss not worse than the champion's"]


def test_calibration_is_bounded_on_both_sides():
    assert failed(metrics=replace(METRICS, mean_prediction=0.121)) == ["Mean prediction"]
    assert failed(metrics=replace(METRICS, mean_prediction=0.079)) == ["Mean prediction"]
    assert failed(metrics=replace(METRICS, calibration_error=0.031)) == ["Calibration error"]


def test_wrong_settings_are_named():
    with pytest.raises(SettingsError, match=r"gates\.max_calibration_error = 2"):
        GateSettings(max_calibration_error=2)
    with pytest.raises(SettingsError, match=r"gates\.must_beat = 'always'"):
        parse(GateSettings, {"must_beat": "always"}, "gates")


@pytest.mark.parametrize("auc", [0.44, 0.56])
def test_negatives_that_give_themselves_away_stop_the_model(auc):
    assert failed(known=auc) == ["Negatives give nothing away"]
    assert failed(known=auc, max_sanity_deviation=0.1) == []


def test_champion_that_cannot_be_scored_fails_a_check_that_says_why():
    result = decide(
        GateSettings(),
        METRICS,
        critical_failures=(),
        sanity_aucs={"popularity": 0.5},
        baselines=Comparison("deminet", {}),
        champion=None,
        champion_problem="version 3: SettingsError: old = 1",
    )
    assert not result.passed
    assert "the champion cannot be scored: version 3" in next(c.reason for c in result.checks if not c.passed)
