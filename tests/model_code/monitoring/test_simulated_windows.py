"""Each planted drift is found, and windows without drift ask for nothing."""

import numpy as np
import pytest
from simulated import WINDOWS, World, shifted_labels

from model_code.monitoring.compare import compare
from model_code.monitoring.observed import InputFacts
from model_code.monitoring.settings import MonitoringSettings

SETTINGS = MonitoringSettings()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))


def judged(reference, observations, behaviors=None):
    return compare(reference, observations, behaviors, InputFacts(), SETTINGS, "simulated", "1").verdict


def statuses(verdict):
    return {finding.name: finding.status for finding in verdict.findings}


@pytest.fixture(scope="module")
def without_drift(world):
    """Other users, same period, same simulation: no drift at all, only other draws."""
    return [judged(world.reference, world.window(number)) for number in range(1, WINDOWS + 1)]


def test_twenty_windows_without_drift_ask_for_no_retraining(without_drift):
    assert len(without_drift) == 20
    assert [verdict.reasons for verdict in without_drift if verdict.status == "retrain"] == []


def test_their_warnings_are_few(without_drift):
    warned = [
        finding for verdict in without_drift for finding in verdict.findings if finding.status == "warn"
    ]
    assert len(warned) <= 2


def test_their_distances_are_within_noise(without_drift):
    """Thresholds alone would have cried wolf: what keeps quiet is the noise limit."""
    findings = [item for verdict in without_drift for item in verdict.findings if item.kind != "input"]
    beyond = [item for item in findings if item.value > item.noise_limit]
    assert len(beyond) <= 0.01 * len(findings)
    by_threshold = {item.name for item in findings if item.retrain is not None and item.value >= item.retrain}
    assert by_threshold, "the test would say nothing of windows so large that noise plays no part"


@pytest.fixture(scope="module")
def undrifted(world):
    return world.planted(None)


def test_a_log_of_its_own_without_drift_is_ok(world, undrifted):
    verdict = judged(world.large_reference, *undrifted)
    assert verdict.status == "ok", verdict.reasons
    assert "behavior" in statuses(verdict)


@pytest.mark.parametrize(
    ("kind", "strength", "found"),
    [
        ("popularity", 0.5, {"popularity": "retrain", "score": "retrain"}),
        ("categories", 0.2, {"category": "retrain", "unknown_categories": "retrain"}),
        ("users", 0.4, {"unknown_users": "warn"}),
        ("shifted_clock", 0.4, {"gap": "warn"}),
        ("whole_days", 0.4, {"gap": "retrain", "hour": "warn"}),
    ],
)
def test_each_planted_drift_is_found(world, kind, strength, found):
    verdict = judged(world.large_reference, *world.planted(kind, strength))
    after = statuses(verdict)
    order = ("ok", "warn", "retrain")
    for name, least in found.items():
        assert order.index(after[name]) >= order.index(least), verdict.findings
    assert verdict.status in found.values()


def test_a_label_shift_is_found(world, undrifted):
    verdict = judged(world.large_reference, shifted_labels(undrifted.observations, 0.3))
    assert statuses(verdict)["bias"] == "retrain"
    assert verdict.status == "retrain"


def test_rows_are_the_clicked_events_and_nine_negatives(world):
    observations = world.large_reference.observations
    assert observations.column("label").mean() == pytest.approx(0.1)
    source, clicked = observations.missing("source"), observations.clicked
    np.testing.assert_array_equal(source, clicked)
    assert (observations.column("gap_ms") > 0).all()
