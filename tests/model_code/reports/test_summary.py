"""The summary in the terminal and the model card say what the run found."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from model_code.evaluation.comparison import compare
from model_code.evaluation.evaluate import EvaluationSettings, evaluate
from model_code.evaluation.gates import Check, Verdict
from model_code.reports.log_change import LogChange, LogFacts
from model_code.reports.summary import RunFacts, model_card, terminal_summary
from tests.model_code.reports.test_comparison_report import write_model


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scores")
    paths = {name: write_model(folder / name, quality) for name, quality in (("main", 1.4), ("other", 0.5))}
    settings = EvaluationSettings(bootstrap_replicates=50)
    evaluations = {name: evaluate(path, settings) for name, path in paths.items()}
    return RunFacts(
        name="shop",
        version="7",
        split={
            "balance": {"raw": 1_234, "kept": 1_200, "quarantined": 34, "duplicates": 0},
            "split_timestamp": 1_508_100_000_000,
            "validation_timestamp": 1_507_600_800_000,
        },
        sequences={
            "users": 50,
            "items": 20,
            "categories": 3,
            "parts": {"fit": {"targets": 900}, "test": {"targets": 200}},
            "settings": {"negatives_per_positive": 4, "negative_sampling": "block_popularity"},
        },
        evaluations=evaluations,
        comparison=compare(evaluations, paths, "main"),
        verdict=Verdict(True, (Check("Not worse than other", True, 0.1, 0.0, "higher beyond noise"),)),
        log=LogChange(LogFacts("d41d8c", "d4", {"kept": 1_200}, 0, 1)),
        lineage={"git commit": "abc"},
        reports={"models": "reports/comparison.html"},
    )


def test_summary_has_data_split_metrics_verdict_and_reports(facts):
    text = terminal_summary(facts)
    auc = facts.evaluations["main"].metrics.auc
    lead = facts.comparison.differences["other"].auc.value
    for part in (
        "shop version 7: promoted to staging",
        "1,234 raw, 1,200 kept, 34 quarantined\n",  # what is zero is left out
        "test from 2017-10-15 20:40 UTC",
        "fit 900, test 200",
        f"{auc:.4f}",
        f"+{lead:.4f}",
        "passed  Not worse than other: higher beyond noise",
        "reports/comparison.html",
    ):
        assert part in text


def test_summary_names_the_data_and_compares_another_log_with_the_one_before(facts):
    text = terminal_summary(facts)
    assert "  data     d41d8c\n\n" in text
    log = replace(facts.log, version="6", before=LogFacts("e5", "e5", {"kept": 1_000}, 0, 1))
    text = terminal_summary(replace(facts, log=log))
    assert "Another raw log than version 6's." in text
    assert re.search(r"\n +version 6 +this +change\n", text)
    assert re.search(r"\n  kept +1,000 +1,200 +\+200\n", text)


def test_failed_gate_is_said_first_and_marked(facts):
    failed = Verdict(False, (Check("Calibration error", False, 0.2, 0.03, "0.2 apart"),))
    text = terminal_summary(replace(facts, verdict=failed))
    assert text.startswith("shop version 7: not promoted")
    assert "FAILED  Calibration error: 0.2 apart" in text


def test_columns_of_the_table_are_aligned(facts):
    lines = terminal_summary(facts).splitlines()
    start = next(index for index, line in enumerate(lines) if line.strip().startswith("model"))
    ends = {line.index("Loss") + 4 if "Loss" in line else None for line in lines[start : start + 1]}
    losses = [f"{facts.evaluations[name].metrics.log_loss:.4f}" for name in ("main", "other")]
    for line, loss in zip(lines[start + 1 : start + 3], losses, strict=True):
        assert line.index(loss) + len(loss) in ends


def test_card_is_a_table_of_metrics_with_settings_and_lineage(facts):
    card = model_card(facts, {"training.epochs": 3})
    assert card.startswith("# shop, version 7\n")
    rows = [line for line in card.splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1
    assert "- training.epochs: 3" in card
    assert "- git commit: abc" in card
    assert "4 negatives a positive" in card
