import pytest

from benchmarks.report import report, spread
from benchmarks.table import number
from model_code.reports.text import table


def test_columns_are_aligned():
    assert table(["model", "ms"], [["din", "1.25"], ["deminet", "30"]]).splitlines() == [
        "| model   |   ms |",
        "|---------|-----:|",
        "| din     | 1.25 |",
        "| deminet |   30 |",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (0.00042, "0.0004"), (1.2345, "1.23"), (99.96, "100"), (12345.6, "12,300")],
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text


def test_spread_is_median_and_range():
    assert spread([3.0, 1.0, 2.0]) == "2 (1 to 3)"
    assert spread([4.0]) == "4"
    assert spread([]) == "–"


def test_sections_that_were_skipped_say_why():
    page = report({"globo": {"skipped": "no folder"}, "peer": {"skipped": "no network"}})
    assert "## Globo\n\nSkipped: no folder." in page
    assert "Skipped: no network." in page


def test_growth_has_a_column_for_each_value_and_a_dash_for_what_failed():
    run = {"samples_per_second": 1000.0, "step_ms": 2.0, "training_peak": {"process_mib": 300.0}}
    page = report({"grow": {"history": {"din": {10: [run], 50: []}}}})
    assert "| history length |" in page
    assert "| din, samples/s | 1,000 |  – |" in page
    assert "GPU" not in page


def test_ratios_to_the_peer_are_taken_turn_by_turn():
    turns = [
        {
            "peer": {"fit": 100, "bare": 200},
            "ours": {"din": {"samples_per_second": a, "bare_samples_per_second": b}},
        }
        for a, b in ((300, 400), (200, 800), (500, 600))
    ]
    page = report({"peer": {"version": "0", "turns": turns}})
    assert "3 (2 to 5)" in page and "3 (2 to 4)" in page


def test_shares_are_of_the_yardsticks():
    run = {
        "samples_per_second": 1.0,
        "scoring_samples_per_second": 1.0,
        "step_ms": 30.0,
        **{f"{part}_ms": 10.0 for part in ("gather", "forward", "backward", "optimizer", "flush")},
        "training_peak": {"process_mib": 300.0},
        "scoring_peak": {"process_mib": 300.0},
    }
    demands = {"din": {"operations": 5e6, "bytes": 20e6}}
    sticks = [{"flop_per_second": 1e9, "bytes_per_second": 1e9}]
    page = report({"base": {"din": [run]}, "demands": demands, "yardsticks": sticks})
    line = [line for line in page.splitlines() if "din" in line][-1]
    assert [cell.strip() for cell in line.strip("|").split("|")] == ["din", "5", "20", "30", "16.7%", "66.7%"]
