"""From numbers to a verdict: what counts, what only warns, and what is said."""

import json
from dataclasses import replace

import numpy as np
import pytest
from made_up import made_up

from model_code.monitoring.compare import compare
from model_code.monitoring.observed import InputFacts
from model_code.monitoring.reference import Reference
from model_code.monitoring.settings import Limits, MonitoringSettings, ThresholdSettings
from model_code.monitoring.verdict import MonitoringVerdict, judge
from model_code.settings import SettingsError, parse

SETTINGS = MonitoringSettings(replicates=200, noise_quantile=0.99)
NO_FACTS = InputFacts()
REFERENCE = Reference(made_up(seed=0), None)


def judged(window, facts=NO_FACTS, settings=SETTINGS, reference=REFERENCE):
    return compare(reference, window, None, facts, settings, "shop", "3").verdict


def finding(verdict, name):
    return next(item for item in verdict.findings if item.name == name)


@pytest.mark.parametrize(
    ("value", "noise", "limits", "expected"),
    [
        (0.05, 0.01, Limits(warn=0.1, retrain=0.2), "ok"),
        (0.1, 0.01, Limits(warn=0.1, retrain=0.2), "warn"),
        (0.2, 0.01, Limits(warn=0.1, retrain=0.2), "retrain"),
        (0.5, 0.5, Limits(warn=0.1, retrain=0.2), "ok"),
        (9.0, 0.01, Limits(warn=0.1, retrain=None), "warn"),
        (1.0, None, Limits(warn=1), "warn"),
        (0.0, 0.0, Limits(warn=0.0, retrain=0.0), "ok"),
        (-0.4, 0.1, Limits(warn=0.1, retrain=0.2), "ok"),
    ],
)
def test_a_change_counts_beyond_noise_and_from_its_limit_on(value, noise, limits, expected):
    assert judge(value, noise, limits) == expected


def test_no_drift_is_ok_and_every_value_is_told():
    verdict = judged(made_up(seed=1))
    assert verdict.status == "ok"
    assert verdict.reasons == []
    assert {item.name for item in verdict.findings} == {
        *("rows", "validation", "category", "popularity", "history_length", "gap", "hour", "score"),
        *("unknown_items", "unknown_categories", "unknown_users", "auc", "log_loss", "bias", "calibration"),
    }
    assert all(item.noise_limit is not None for item in verdict.findings if item.kind != "input")
    assert any("Behaviour" in reason for reason in verdict.not_compared)


def test_the_worst_comes_first_and_names_value_noise_and_limit():
    def half(column):
        return column & (np.arange(len(column)) % 2 == 0)

    verdict = judged(made_up(seed=1, item_known=half))
    assert verdict.status == "retrain"
    first = verdict.findings[0]
    assert (first.name, first.status) == ("unknown_items", "retrain")
    assert f"{first.noise_limit:.3f}" in first.reason
    assert "limit for retraining (0.2)" in first.reason
    assert verdict.reasons[0].startswith("Items unknown to the model: share ")


def test_fewer_unknown_items_count_as_well():
    reference = Reference(made_up(seed=0, item_known=lambda column: np.arange(len(column)) % 2 == 0), None)
    window = made_up(seed=1, item_known=lambda column: np.ones(len(column), bool))
    assert finding(judged(window, reference=reference), "unknown_items").status == "retrain"


def test_a_worse_model_asks_for_retraining_a_better_one_does_not():
    reference = Reference(made_up(seed=0, quality=2.0), None)
    assert finding(judged(made_up(seed=1, quality=1.0), reference=reference), "auc").status == "retrain"
    better = judged(made_up(seed=1, quality=3.0), reference=reference)
    assert finding(better, "auc").status == "ok"


def test_thresholds_are_settings():
    window = made_up(seed=1, item_known=lambda column: column & (np.arange(len(column)) % 2 == 0))
    calm = replace(SETTINGS, thresholds=ThresholdSettings(unknown_items=Limits(warn=0.9)))
    assert finding(judged(window, settings=calm), "unknown_items").status == "ok"


def test_an_empty_window_and_a_small_one_warn():
    window = made_up(seed=1)
    empty = window.select(np.zeros(len(window), dtype=bool))
    verdict = judged(empty)
    assert verdict.status == "warn"
    assert verdict.rows == verdict.users == 0
    assert verdict.reasons == ["Rows of the window: 0 clicked rows; at least 100 are needed to say anything"]
    assert len(verdict.not_compared) == 11
    small = window.select(window.column("user") < 3)
    assert finding(judged(small), "rows").status == "warn"


def test_bad_input_warns_and_never_asks_for_retraining():
    facts = InputFacts(("a < b",), 0.4, ("5 rows were passed over",))
    verdict = judged(made_up(seed=1), facts)
    assert verdict.status == "warn"
    assert verdict.reasons == [
        "Rows in quarantine: 40.00% of the raw rows; up to 2.00% is allowed",
        "Validation of the log: failed: a < b",
    ]
    assert "5 rows were passed over" in verdict.not_compared


def test_a_served_window_has_no_validation():
    verdict = judged(made_up(seed=1, kind="predictions"))
    assert "validation" not in {item.name for item in verdict.findings}
    assert verdict.source == "predictions"


def test_it_comes_back_from_json_with_reasons_for_machines(tmp_path):
    verdict = judged(made_up(seed=1, item_known=lambda column: ~column), InputFacts(("x",), 0.5))
    verdict.write(tmp_path / "verdict.json")
    assert MonitoringVerdict.read(tmp_path / "verdict.json") == verdict
    values = json.loads((tmp_path / "verdict.json").read_text())
    assert values["status"] == "retrain"
    assert values["reasons"] == verdict.reasons
    assert {"value", "noise_limit", "warn", "retrain", "reason"} <= set(values["findings"][0])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"thresholds": {"auc": {"warn": 0.2, "retrain": 0.1}}},
            r"auc.retrain = 0.1: should be at",
        ),
        ({"thresholds": {"auk": {"warn": 0.2}}}, r"monitoring.thresholds.auk = .*: there is no such setting"),
        ({"thresholds": {"auc": {"warn": -1}}}, r"thresholds.auc.warn = -1.0: should be a number from 0"),
        ({"replicates": 100}, r"monitoring.replicates = 100: should be at least 1,000"),
        ({"noise_quantile": 1}, r"monitoring.noise_quantile = 1.0: should be a number in"),
    ],
)
def test_settings_that_make_no_sense_are_named(values, message):
    with pytest.raises(SettingsError, match=message):
        parse(MonitoringSettings, values, "monitoring")
