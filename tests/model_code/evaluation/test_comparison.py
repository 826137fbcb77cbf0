from __future__ import annotations

import numpy as np
import pytest

from model_code.evaluation.comparison import Comparison, compare
from model_code.evaluation.delong import delong, placements
from model_code.evaluation.evaluate import EvaluationSettings, evaluate
from model_code.evaluation.scores import ScoresError, read_scores


def evaluated(paths, **settings):
    return {name: evaluate(path, EvaluationSettings(**settings)) for name, path in paths.items()}


def test_the_better_model_wins_and_the_comparison_survives_json(scored, tmp_path):
    paths = {"good": scored("good", 1.5), "poor": scored("poor", 0.5), "twin": scored("twin", 1.5)}
    evaluations = evaluated(paths)
    comparison = compare(evaluations, paths, "good")
    assert list(comparison.differences) == ["poor", "twin"]

    poor = comparison.differences["poor"]
    assert poor.auc.value == evaluations["good"].metrics.auc - evaluations["poor"].metrics.auc
    assert poor.auc.low > 0 > poor.log_loss.high
    assert poor.gauc.low > 0
    placed = [
        placements(read.label, read.score) for read in (read_scores(paths[n]) for n in ("good", "poor"))
    ]
    assert poor.delong_p_value == delong(*placed)

    twin = comparison.differences["twin"]
    assert (twin.auc.value, twin.auc.p_value, twin.delong_p_value) == (0, 1, 1)
    only_twin = comparison.only({"twin", "stranger"})
    assert (only_twin.main, only_twin.differences) == ("good", {"twin": twin})
    comparison.write(tmp_path / "comparison.json")
    assert Comparison.read(tmp_path / "comparison.json") == comparison


def test_pairing_narrows_the_interval_of_the_difference(scored):
    paths = {"a": scored("a", 1.2), "b": scored("b", 1.0)}
    evaluations = evaluated(paths)
    auc = compare(evaluations, paths, "a").differences["b"].auc
    alone = evaluations["a"].intervals.auc
    assert auc.high - auc.low < (alone.high - alone.low) / 3


@pytest.mark.parametrize("column", ["sample_id", "user", "label"])
def test_other_samples_are_refused(scored, column):
    original = read_scores(scored("main", 1.0))
    changed = {
        "sample_id": original.sample_id + 1,
        "user": original.user // 2,
        "label": np.roll(original.label, 1),
    }
    paths = {"main": scored("main", 1.0), "other": scored("other", 1.0, **{column: changed[column]})}
    with pytest.raises(ScoresError, match="other and main were not scored on the same samples"):
        compare(evaluated(paths), paths, "main")


def test_a_file_that_changed_after_its_evaluation_is_refused(scored):
    paths = {"main": scored("main", 1.0), "other": scored("other", 0.5)}
    evaluations = evaluated(paths)
    scored("other", 0.5, user=np.arange(1200))
    with pytest.raises(ScoresError, match=r"other\.parquet is not what other was evaluated on"):
        compare(evaluations, paths, "main")


def test_other_settings_are_refused(scored):
    paths = {"main": scored("main", 1.0), "other": scored("other", 0.5)}
    evaluations = evaluated(paths) | evaluated({"other": paths["other"]}, seed=1)
    with pytest.raises(ValueError, match="different settings"):
        compare(evaluations, paths, "main")
