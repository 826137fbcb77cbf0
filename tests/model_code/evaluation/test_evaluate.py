from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from model_code.evaluation import metrics
from model_code.evaluation.evaluate import Evaluation, EvaluationSettings, evaluate
from model_code.evaluation.metrics import MetricError
from model_code.evaluation.scores import read_scores
from model_code.settings import SettingsError
from tests.model_code.evaluation.conftest import score_columns, write_columns

BYTES_PER_SAMPLE = 50  # 100 million samples in 5 GB; the columns alone are 32


def test_an_evaluation_holds_the_metrics_and_survives_json(scored, tmp_path):
    path = scored("main", 1.0)
    evaluation = evaluate(path, EvaluationSettings())
    scores = read_scores(path)
    assert evaluation.metrics == metrics.measure(scores.label, scores.score, scores.user, 15)
    assert evaluation.intervals.auc.low < evaluation.metrics.auc < evaluation.intervals.auc.high
    assert len(evaluation.replicates.auc) == 200
    evaluation.write(tmp_path / "evaluation.json")
    assert Evaluation.read(tmp_path / "evaluation.json") == evaluation


def test_memory_is_bounded_by_bytes_a_sample(tmp_path):
    path = write_columns(tmp_path / "many.parquet", score_columns(1.0, users=40_000))
    tracemalloc.start()
    samples = evaluate(path, EvaluationSettings(bootstrap_replicates=50)).metrics.samples
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert samples == 600_000
    assert peak / samples < BYTES_PER_SAMPLE


def test_more_confidence_is_a_wider_interval(scored):
    path = scored("main", 1.0)
    widths = []
    for confidence in (0.8, 0.99):
        interval = evaluate(path, EvaluationSettings(confidence=confidence)).intervals.auc
        widths.append(interval.high - interval.low)
    assert widths[0] < widths[1]


def test_without_users_of_both_classes_gauc_is_absent(scored):
    evaluation = evaluate(scored("main", 1.0, user=np.arange(1200)), EvaluationSettings())
    assert evaluation.metrics.gauc is None
    assert evaluation.intervals.gauc is None
    assert evaluation.metrics.gauc_users_left_out == 1200


def test_samples_of_one_class_are_an_error(scored):
    with pytest.raises(MetricError, match="needs both classes"):
        evaluate(scored("main", 1.0, label=np.zeros(1200, np.int8)), EvaluationSettings())


@pytest.mark.parametrize(
    ("name", "value"),
    [("bootstrap_replicates", 10), ("confidence", 1.0), ("seed", -1), ("calibration_bins", 1)],
)
def test_wrong_settings_are_named(name, value):
    with pytest.raises(SettingsError, match=rf"evaluation\.{name} = {value}"):
        EvaluationSettings(**{name: value})
