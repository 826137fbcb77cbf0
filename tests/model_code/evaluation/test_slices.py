from __future__ import annotations

import pytest
from sklearn.metrics import log_loss, roc_auc_score

from model_code.evaluation.scores import read_scores
from model_code.evaluation.slices import slices


def test_each_dimension_splits_all_samples(scored):
    scores = read_scores(scored("main", 1.0))
    by_dimension = {}
    for part in slices(scores):
        by_dimension.setdefault(part.dimension, []).append(part)
    assert list(by_dimension) == ["Item", "User", "History length", "Candidate"]
    for parts in by_dimension.values():
        assert sum(part.samples for part in parts) == len(scores.label)
        assert sum(part.positives for part in parts) == scores.label.sum()


def test_metrics_are_those_of_the_slices_samples(scored):
    scores = read_scores(scored("main", 1.0))
    by_name = {(part.dimension, part.name): part for part in slices(scores)}
    for key, chosen in {
        ("Item", "unknown"): ~scores.item_known,
        ("User", "new"): ~scores.user_known,
        ("History length", "5 to 9"): (scores.history_length >= 5) & (scores.history_length <= 9),
        ("History length", "20 or more"): scores.history_length >= 20,
        ("Candidate", "repeats a history item"): scores.repeat,
    }.items():
        part = by_name[key]
        assert part.samples == chosen.sum()
        assert part.auc == pytest.approx(roc_auc_score(scores.label[chosen], scores.score[chosen]))
        assert part.log_loss == pytest.approx(log_loss(scores.label[chosen], scores.score[chosen]), rel=1e-6)


def test_slices_without_both_classes_have_no_metrics(scored):
    columns = read_scores(scored("main", 1.0))
    scores = read_scores(scored("main", 1.0, repeat=columns.label == 1, item_known=columns.label >= 0))
    by_name = {(part.dimension, part.name): part for part in slices(scores)}
    only_positives = by_name["Candidate", "repeats a history item"]
    assert only_positives.samples == only_positives.positives > 0
    assert (only_positives.auc, only_positives.log_loss) == (None, None)
    assert (by_name["Item", "unknown"].samples, by_name["Item", "unknown"].auc) == (0, None)
