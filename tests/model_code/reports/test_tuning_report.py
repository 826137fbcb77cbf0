"""The tuning report: what it says of searches that went well, and of those that did not."""

import re
from dataclasses import replace

import numpy as np
import pytest

from model_code.reports.tuning import TuningOrigin, TuningReport, render_tuning
from model_code.reports.tuning_figures import shown
from model_code.tuning.result import SearchResult, Trial, tuned_yaml


def trial(number, generator):
    settings = {
        "model.beta": 0.1 if number == 0 else float(10 ** generator.uniform(-2, 1)),
        "model.residual": bool(number % 2),
        "model.layers": 1 + number % 3,
        "training.learning_rate": 0.001,
    }
    auc = float(0.7 + 0.02 * generator.random() + 0.01 * settings["model.residual"])
    return Trial(
        number, 1000 + number, settings, "finished", (auc - 0.01, auc, auc - 0.02), (0.3, 0.2, 0.4), 61.5
    )


def searched(label, trials=12):
    generator = np.random.default_rng(len(label))
    made = [trial(number, generator) for number in range(trials)]
    if trials > 4:
        made[4] = replace(made[4], outcome="failed", aucs=(), log_losses=(), reason="the loss <is> gone")
    return SearchResult(label, "deminet", {"heads": 4}, made[0].settings, tuple(made))


@pytest.fixture(scope="module")
def report():
    results = [searched("deminet"), searched("din")]
    origin = TuningOrigin("a & b", "run-7", 1507600800000, 1508100000000)
    budget = {"trials a model": 12, "pruning": False}
    return TuningReport(origin, results, budget, tuned_yaml(results, "a & b"), "cp this there")


def rendered(report, tmp_path):
    out = tmp_path / "tuning.html"
    render_tuning(report, out)
    return out.read_text(encoding="utf-8")


def test_the_page_loads_nothing_and_is_reproducible(report, tmp_path):
    html = rendered(report, tmp_path)
    assert not re.findall(r'(?:src|href)="(?!#)[^"]*"', html)
    ids = re.findall(r'\bid="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    assert rendered(report, tmp_path) == html
    assert re.findall(r"<h2>([^<]*)", html) == [
        "Best against start",
        "Settings chosen",
        "What each setting does",
        "Trials",
    ]


def test_best_is_held_against_the_start(report, tmp_path):
    html = rendered(report, tmp_path)
    table = html[html.index("<h2>Best against start") : html.index("<h2>Settings chosen")]
    for result in report.results:
        assert f"<td>{result.first.auc:.4f}</td>" in table
        assert f"<td>{result.best.auc:.4f}</td>" in table
        assert f"<td>{result.best.auc - result.first.auc:+.4f}</td>" in table
    assert "11 finished, 1 failed" in table
    assert "2 of 3" in table


def test_what_was_chosen_can_be_taken_over(report, tmp_path):
    html = rendered(report, tmp_path)
    assert "heads: 4" in html
    assert "cp this there" in html
    best = report.results[0].best.settings["model.beta"]
    assert f"<strong>{shown(best)}</strong>" in html
    assert "<td>0.001</td>\n<td>0.001</td>" in html, "what did not move is not set off"


def test_every_trial_is_listed_the_best_first_failed_ones_with_their_reason(report, tmp_path):
    html = rendered(report, tmp_path)
    trials = html[html.index("<h2>Trials") :]
    numbers = re.findall(r'<th scope="row">(\d+)', trials)
    assert sorted(numbers, key=int) == sorted([*map(str, range(1, 13))] * 2, key=int)
    assert int(numbers[0]) == report.results[0].best.number + 1
    assert "the loss &lt;is&gt; gone" in trials
    assert numbers[11] == "5", "what failed comes last"


def test_a_start_that_failed_and_a_lone_trial_are_fine(report, tmp_path):
    lone = searched("din", trials=1)
    two = searched("deminet", trials=2)
    failed = replace(two.trials[0], outcome="failed", aucs=(), log_losses=())
    broken = replace(two, trials=(failed, two.trials[1]))
    html = rendered(replace(report, results=[lone, broken], tuned=tuned_yaml([lone, broken], "x")), tmp_path)
    assert "where it started, none" in html
    assert "<td>–</td>" in html


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "yes"), (None, "none"), (0.00123456, "0.001235"), ((200, 80), "200, 80"), (3, "3"), ("a", "a")],
)
def test_values_are_shown_for_people(value, text):
    assert shown(value) == text
