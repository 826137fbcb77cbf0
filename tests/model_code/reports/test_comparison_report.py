from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pytest

from model_code.evaluation.comparison import Comparison, compare
from model_code.evaluation.evaluate import EvaluationSettings, evaluate
from model_code.evaluation.gates import GateSettings, decide
from model_code.evaluation.scores import SCHEMA, write_scores
from model_code.reports.comparison import ComparisonReport, Origin, render_comparison
from model_code.reports.log_change import LogChange, LogFacts

VOID = {"meta", "br", "link"}


class Page(HTMLParser):
    """A page's text and its problems."""

    def __init__(self, html):
        super().__init__()
        self.open, self.text, self.headings, self.loads = [], [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.loads += [
            value for name, value in attrs if name in ("src", "href") and not value.startswith("#")
        ]

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data.strip())
            if self.open[-1] == "h2":
                self.headings.append(data)


def write_model(path, quality):
    generator = np.random.default_rng(0)
    label = np.tile(np.array([1, 0, 0, 0, 0], np.int8), 200)
    logit = quality * label + generator.normal(size=1000) - 1.5
    columns = {
        "sample_id": np.arange(1000),
        "group": np.repeat(np.arange(200), 5),
        "user": np.repeat(np.arange(50), 20),
        "label": label,
        "score": 1 / (1 + np.exp(-logit)),
        "logit": logit,
        "item_known": np.ones(1000, bool),
        "user_known": np.arange(1000) < 400,
        "history_length": np.full(1000, 3),
        "repeat": label == 1,
    }
    arrays = [pa.array(columns[field.name].astype(field.type.to_pandas_dtype())) for field in SCHEMA]
    write_scores(path, [pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)])
    return path


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scores")
    qualities = {"weak": 0.5, "main": 1.0, "strong <1>": 1.4}
    paths = {name: write_model(folder / f"{quality}", quality) for name, quality in qualities.items()}
    evaluations = {
        name: evaluate(path, EvaluationSettings(bootstrap_replicates=50)) for name, path in paths.items()
    }
    comparison = compare(evaluations, paths, "main")
    return ComparisonReport(
        origin=Origin("a & b", "run-7", "d41d8c", 1507600800000, 1508100000000),
        verdict=decide(
            GateSettings(max_prediction_bias=9, max_calibration_error=1),
            evaluations["main"].metrics,
            critical_failures=[],
            sanity_aucs={"popularity": 0.5},
            baselines=comparison,
            champion=None,
        ),
        evaluations=evaluations,
        comparison=comparison,
        histories={
            "main": [{"epoch": n, "loss_cross_entropy": 1 / n, "validation_auc": 0.6} for n in (1, 2)]
        },
        sanity_aucs={"popularity": 0.51, "known item": None},
        counts={"events read": 12345},
        settings={"training.learning_rate": 0.001},
        log_change=LogChange(LogFacts("d41d8c", "d4", {"kept": 1_200}, 0, 1)),
    )


def rendered(report, tmp_path):
    out = tmp_path / "report.html"
    render_comparison(report, out)
    return out.read_text(encoding="utf-8")


def test_the_page_is_well_formed_loads_nothing_and_is_reproducible(report, tmp_path):
    html = rendered(report, tmp_path)
    page = Page(html)
    assert page.loads == []
    assert "url(http" not in html
    assert "@import" not in html
    assert page.headings == ["Checks", "Models", "Curves", "Slices", "Details"]
    ids = re.findall(r'\bid="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    assert rendered(report, tmp_path) == html


def test_another_log_is_compared_with_that_of_the_version_before(report, tmp_path):
    change = replace(report.log_change, version="6", before=LogFacts("e5", "e5", {"kept": 1_000}, 0, 1))
    html = rendered(replace(report, log_change=change), tmp_path)
    assert "What changed in the log" in Page(html).headings
    assert '<th scope="row">kept</th><td>1,000</td><td>1,200</td><td>+200</td>' in html


def test_the_verdict_comes_first_and_names_what_failed(report, tmp_path):
    html = rendered(report, tmp_path)
    assert "Not passed: 1 of" in html
    text = Page(html).text
    assert text.index("Not worse than strong <1>") < text.index("Checks")
    passed = replace(report, verdict=replace(report.verdict, passed=True))
    assert f"Passed: all {len(report.verdict.checks)} checks hold" in rendered(passed, tmp_path)


def test_the_table_has_the_main_model_first_then_the_best(report, tmp_path):
    html = rendered(report, tmp_path)
    table = html[html.index("<h2>Models") : html.index("<h2>Curves")]
    assert re.findall(r'<th scope="row">([^<]*)</th>', table) == ["main", "strong &lt;1&gt;", "weak"]
    for evaluation in report.evaluations.values():
        assert f"{evaluation.metrics.auc:.4f}" in table
        assert f"{evaluation.intervals.log_loss.low:.4f} to {evaluation.intervals.log_loss.high:.4f}" in table
    assert (
        re.findall(r'<span class="(good|bad)">(better|worse)', table)
        == [("bad", "worse")] * 2 + [("good", "better")] * 2
    )


def test_models_from_elsewhere_are_named_and_have_no_learning_curve(report, tmp_path):
    assert "handed in" not in rendered(report, tmp_path)
    html = rendered(replace(report, from_elsewhere=["weak"]), tmp_path)
    assert "Of weak the scores\nalone were handed in" in html
    curves = html[html.index("Training loss") :]
    assert "weak" not in curves[: curves.index("</svg>")]


def test_a_gap_within_noise_is_called_so(report, tmp_path):
    weak = report.comparison.differences["weak"]
    unsure = replace(weak, auc=replace(weak.auc, low=-0.1))
    comparison = Comparison("main", {**report.comparison.differences, "weak": unsure})
    assert "within noise</span>" in rendered(replace(report, comparison=comparison), tmp_path)


def test_slices_without_samples_are_left_out_and_those_of_one_class_have_no_auc(report, tmp_path):
    html = rendered(report, tmp_path)
    slices = html[html.index("<h2>Slices") : html.index("<h2>Details")]
    names = re.findall(r'<span class="quiet">([^<]*)</span> ([^<]*)</th>', slices)
    assert ("User:", "new") in names
    assert ("Item:", "unknown") not in names
    repeats = slices[slices.index("repeats a history item</th>") :]
    assert repeats.count("<td>–</td>") >= 3


def test_details_are_there(report, tmp_path):
    text = Page(rendered(report, tmp_path)).text
    for shown in (
        "12,345",
        "training.learning_rate",
        "0.001",
        "popularity",
        "0.5100",
        "a & b",
        "2017-10-15 20:40 UTC",
    ):
        assert shown in text


def test_models_that_were_not_trained_and_a_lone_model_are_fine(report, tmp_path):
    lone = replace(
        report,
        evaluations={"main": report.evaluations["main"]},
        comparison=Comparison("main", {}),
        histories={},
    )
    html = rendered(lone, tmp_path)
    assert "Training loss" not in html
    assert "How sure the ranking is" not in html
    assert "<h3>ROC" in html
