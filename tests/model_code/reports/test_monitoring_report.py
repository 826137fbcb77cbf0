"""The monitoring report: what it says of a window, whatever the names in it."""

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from model_code.monitoring.behaviors import Behaviors
from model_code.monitoring.compare import compare
from model_code.monitoring.history import record
from model_code.monitoring.observed import InputFacts
from model_code.monitoring.reference import Reference
from model_code.monitoring.settings import MonitoringSettings
from model_code.reports.monitoring import MonitoringReport, render_monitoring, terminal_verdict
from tests.model_code.monitoring.made_up import made_up

SETTINGS = MonitoringSettings(replicates=100, noise_quantile=0.99)
HOSTILE = "<script>alert('$x_1$')</script>\n& a very long name indeed"
DAY = 86_400_000


def reported(window, facts=None, hostile="a"):
    def named(column):
        return np.where(np.asarray(column) == "a", hostile, column)

    reference = made_up(seed=0, category=named)
    mixes = [Behaviors(("pv", hostile), np.full((64, 2), 5 + number)) for number in range(2)]
    comparison = compare(
        Reference(reference, mixes[0]), window, mixes[1], facts or InputFacts(), SETTINGS, f"m {hostile}", "3"
    )
    current = record(comparison)
    earlier = [
        replace(current, window_start=current.window_start - back * DAY, status=status)
        for back, status in ((3, "ok"), (2, "warn"), (1, "retrain"))
    ]
    return MonitoringReport(
        f"log {hostile}", "run-1", comparison, reference.start, reference.end, [*earlier, current], SETTINGS
    )


def rendered(report, tmp_path):
    out = tmp_path / "monitoring.html"
    render_monitoring(report, out)
    return out.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def calm():
    return reported(made_up(seed=1))


def test_the_page_loads_nothing_and_is_reproducible(calm, tmp_path):
    html = rendered(calm, tmp_path)
    assert not re.findall(r'(?:src|href)="(?!#)[^"]*"', html)
    ids = re.findall(r'\bid="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    assert rendered(calm, tmp_path) == html
    assert re.findall(r"<h2>([^<]*)", html) == ["Changes", "Quality", "Over time", "Reference and window"]


def test_every_finding_is_told_with_its_limits(calm, tmp_path):
    html = rendered(calm, tmp_path)
    assert 'class="verdict pass"' in html
    changes = html[html.index("<h2>Changes") : html.index("<h2>Quality")]
    rows = re.findall(r"<tr>\n<th scope=\"row\">(.*?)</tr>", changes, re.DOTALL)
    findings = calm.comparison.verdict.findings
    assert len(rows) == len(findings)
    for row, finding in zip(rows, findings, strict=True):
        assert row.startswith(finding.title)
        assert f">{finding.status}</span>" in row
        if finding.noise_limit is not None:
            assert f"{finding.noise_limit:.4f}" in row


def test_quality_is_given_with_intervals(calm, tmp_path):
    html = rendered(calm, tmp_path)
    auc = calm.comparison.quality.window.auc
    assert f"<td>{auc.value:.4f}<small>{auc.low:.4f} to {auc.high:.4f}</small></td>" in html


def test_reasons_lead_the_page_of_a_window_that_drifts(tmp_path):
    window = made_up(seed=1, item_known=lambda column: ~column)
    report = reported(window, InputFacts(("a & b",), 0.5, ("3 rows & more",)))
    html = rendered(report, tmp_path)
    assert 'class="verdict fail"' in html
    head = html[: html.index("<h2>Changes")]
    assert "Items unknown to the model: share" in head
    assert "failed: a &amp; b" in head
    assert "3 rows &amp; more" in html
    summary = terminal_verdict(report, {"monitoring": "reports/x.html"})
    assert "retrain: the model no longer fits" in summary
    assert "reports/x.html" in summary
    assert summary.count("Items unknown to the model") == 2
    assert "  retrain    Items unknown to the model: share" in summary
    assert "  warn       Validation of the log: failed: a & b" in summary


def test_names_of_the_log_cannot_break_the_page(tmp_path):
    html = rendered(reported(made_up(seed=1), InputFacts((HOSTILE,)), hostile=HOSTILE), tmp_path)
    assert "<script>" not in html
    assert "&lt;script&gt;alert" in html


def test_windows_without_labels_and_without_rows_are_drawn(tmp_path):
    unlabelled = made_up(seed=1, label=lambda column: pa.nulls(len(column), pa.int8()), kind="predictions")
    html = rendered(reported(unlabelled), tmp_path)
    assert "Not known: it takes labels" in html
    assert "no labels yet" in html
    window = made_up(seed=1)
    html = rendered(reported(window.select(np.zeros(len(window), bool))), tmp_path)
    assert "Rows of the window: 0 clicked rows" in html
    assert "<h2>Reference and window" not in html


def test_the_history_lists_all_windows_the_newest_first(calm, tmp_path):
    html = rendered(calm, tmp_path)
    table = html[html.index("4 windows") :]
    assert re.findall(r"badge \w+\">(\w+)<", table)[:4] == [
        calm.comparison.verdict.status,
        "retrain",
        "warn",
        "ok",
    ]
