"""The validation report: verdict first, complete in one file, and nothing of the log runs as HTML."""

import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from model_code.events.click_log import Balance
from model_code.events.health import DAY, GAPS, HOUR, Bin, LogHealth, QuarantinedRecord, QuarantineReason
from model_code.events.repeats import RepeatedFile
from model_code.events.validation import Outcome, ValidationResult
from model_code.reports.validation import ValidationReport, render_validation
from model_code.reports.validation_figures import draw

START = 1_506_816_000_000
HOSTILE = "<script>alert('x')</script><img src=http://evil.example/x.png onerror=alert(1)>\"$x^{"

HEALTH = LogHealth(
    events=1_000,
    users=100,
    items=50,
    categories=5,
    first=START,
    last=START + 10 * DAY,
    interval=DAY,
    activity=tuple((START + day * DAY, 100) for day in range(10)),
    hours=tuple(range(24)),
    behaviors={"view": 900, "cart": 100},
    histories=(Bin(1, 1, 10), Bin(2, 2, 20), Bin(3, 4, 70)),
    popularity=((1, 200), (2, 90), (50, 1)),
    top_shares={0.001: 0.2, 0.01: 0.2, 0.1: 0.5},
    gaps=dict.fromkeys(GAPS, 100),
    quarantine=(
        QuarantineReason("missing key", 7, 1, {"a.csv": 7}, (QuarantinedRecord("a.csv", 1234, "1,,2"),)),
    ),
)
UNDRAWN = replace(HEALTH, users=0)  # figures cost most of the time, and only some tests look at them
BALANCE = Balance(raw=1_020, kept=1_000, quarantined=7, duplicates=3, filtered_behaviors=10)
MET = Outcome(
    description="There are enough users.",
    type="ExpectTableRowCountToBeBetween",
    table="users",
    column=None,
    severity="critical",
    passed=True,
    expected="at least 50",
    observed="100",
)


def broken(severity: str, **changes: object) -> Outcome:
    failed = replace(
        MET,
        description=f"Every event names its item ({severity}).",
        severity=severity,
        passed=False,
        expected="in every row",
        observed="all but 1 of 1,000 rows (0.1% fail)",
        unexpected_count=1,
        unexpected_share=0.001,
        examples=({"user_id": "u1", "item_id": None, "timestamp": START, "share": 0.25},),
    )
    return replace(failed, **changes)


def page(
    folder: Path,
    *outcomes: Outcome,
    name: str = "demo",
    balance: Balance = BALANCE,
    health: LogHealth = HEALTH,
    repeats: Sequence[RepeatedFile] = (),
) -> str:
    result = ValidationResult(outcomes=outcomes, skipped=("Only the wanted behaviours remain.",))
    render_validation(
        ValidationReport(name, result, balance, health, repeats=repeats), folder / "report.html"
    )
    return (folder / "report.html").read_text(encoding="utf-8")


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL))


@pytest.mark.parametrize(
    ("outcomes", "mark", "headline"),
    [
        ([MET], "pass", "Passed: fit to train on"),
        ([MET, broken("info")], "pass", "Passed: fit to train on"),
        ([MET, broken("info"), broken("warning")], "warn", "Passed with warnings"),
        ([broken("warning"), MET, broken("critical")], "fail", "Failed: do not train on this log"),
    ],
)
def test_verdict_comes_first(outcomes: list[Outcome], mark: str, headline: str, tmp_path: Path) -> None:
    html = page(tmp_path, *outcomes)
    main = html[html.index("<main>") :]
    assert main.index(f'<div class="verdict {mark}">') < main.index(headline) < main.index("<section>")


def test_files_that_repeat_others_are_named_with_their_rows(tmp_path: Path) -> None:
    assert "Files that repeat others" not in page(tmp_path, MET, health=UNDRAWN)
    found_in = {f"{name}.csv": 5 for name in "vwxyz"}
    some = [RepeatedFile(f"<{number}>.csv", 1_234, 25, found_in) for number in range(60)]
    html = page(tmp_path, MET, health=UNDRAWN, repeats=some)
    assert "<code>&lt;0&gt;.csv</code>" in html
    text = text_of(html)
    assert "Files that repeat others" in text
    assert "&lt;0&gt;.csv 1,234 25 v.csv 5 w.csv 5 x.csv 5 and 2 more" in text
    assert "And 10 more" in text


def test_worst_failure_is_shown_first_with_what_was_seen(tmp_path: Path) -> None:
    text = text_of(page(tmp_path, broken("warning"), MET, broken("critical")))
    assert "2 of 3 expectations are not met, by severity: 1 critical, 1 warning." in text
    seen = "Seen: all but 1 of 1,000 rows (0.1% fail) ; expected: in every row."
    assert text.index(f"(critical). {seen}") < text.index(f"(warning). {seen}")


def test_broken_rows_are_shown_whole(tmp_path: Path) -> None:
    text = text_of(page(tmp_path, broken("critical")))
    assert "user_id item_id timestamp share u1 (missing) 1506816000000 = 2017-10-01 00:00 UTC 0.25" in text


def test_expectation_that_could_not_be_checked(tmp_path: Path) -> None:
    text = text_of(page(tmp_path, broken("critical", observed="", error="no column\n absent", examples=())))
    assert "Could not be checked." in text
    assert "could not be checked no column absent" in text


def test_balance_and_quarantine(tmp_path: Path) -> None:
    text = text_of(page(tmp_path, MET))
    assert "1,020 rows were read. Each is in one of these parts; none is lost." in text
    assert "Kept 1,000 98.04%" in text
    assert "missing key 7 a.csv 7 1,,2 a.csv, line 1,234" in text
    why = "Passed over, because the log has no such column or the settings give no limit:"
    assert f"{why} Only the wanted behaviours remain." in text


def test_rows_that_are_unaccounted_for_are_shown(tmp_path: Path) -> None:
    text = text_of(page(tmp_path, MET, balance=replace(BALANCE, raw=1_025)))
    assert "The parts do not add up to them." in text
    assert "Unaccounted for 5" in text


def test_all_figures_are_drawn(tmp_path: Path) -> None:
    html = page(tmp_path, MET, health=HEALTH)
    titles = re.findall(r"<figure>\s*<h3>(.*?)</h3>", html)
    assert titles == [
        "Events per day",
        "Users by number of events",
        "Popularity of items",
        "Time between events of a user",
        "Events by hour of the day",
        "Events by behaviour",
    ]
    assert html.count("<svg") == 6
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_page_is_self_contained_and_escaped(tmp_path: Path) -> None:
    hostile = broken("critical", observed=HOSTILE, expected=HOSTILE, examples=({HOSTILE: HOSTILE},))
    reason = QuarantineReason(HOSTILE, 1, 1, {HOSTILE: 1}, (QuarantinedRecord(HOSTILE, None, HOSTILE),))
    health = replace(HEALTH, behaviors={HOSTILE: 10, "view": 5, "$a$ $b": 1}, quarantine=(reason,))
    unchecked = broken("critical", error=HOSTILE, description=HOSTILE)
    tags = Tags()
    tags.feed(page(tmp_path, hostile, unchecked, name=HOSTILE, health=health))
    names = {tag for tag, _ in tags.seen}
    assert not names & {"script", "img", "link", "iframe", "object", "embed"}
    for _, attributes in tags.seen:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
    assert "url(http" not in (tmp_path / "report.html").read_text()


def test_the_table_of_categories_is_told_where_there_is_one(tmp_path: Path) -> None:
    counts = {"rows": 9_999, "items": 1_234, "conflicts": 5, "unusable": 6, "unlisted": None}
    report = ValidationReport("demo", ValidationResult(outcomes=(MET,)), BALANCE, UNDRAWN, counts)
    render_validation(report, tmp_path / "report.html")
    text = text_of((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Table of categories 1,234 items, 5 conflicts, 6 unusable rows" in text
    assert "not in the list" not in text
    render_validation(replace(report, category_table=counts | {"unlisted": 7}), tmp_path / "report.html")
    assert "7 categories not in the list" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Table of categories" not in text_of(page(tmp_path, MET, health=UNDRAWN))


def test_long_records_are_cut(tmp_path: Path) -> None:
    reason = QuarantineReason("unparsable", 1, 9, {"a": 1}, (QuarantinedRecord("a", 1, "z" * 100_000),))
    html = page(tmp_path, MET, health=replace(UNDRAWN, quarantine=(reason,)))
    assert "z… (100,000 characters)" in html
    assert "z" * 161 not in html
    assert "and 8 more" in html


def test_empty_log_has_a_report(tmp_path: Path) -> None:
    empty = LogHealth(0, 0, 0, 0, None, None, DAY, (), (0,) * 24, {}, (), (), {}, dict.fromkeys(GAPS, 0), ())
    text = text_of(page(tmp_path, broken("critical"), balance=Balance(0, 0, 0, 0, 0), health=empty))
    assert "Failed" in text
    assert "None: every row could be read and used" in text


def test_absurd_times_do_not_break_the_report(tmp_path: Path) -> None:
    """A log whose microseconds were taken for milliseconds is the kind that needs a report."""
    far = 10**17
    health = replace(HEALTH, first=0, last=far, activity=((0, 3), (START, 600), (far - far % DAY, 397)))
    broken_time = broken("critical", examples=({"timestamp": far},))
    text = text_of(page(tmp_path, broken_time, health=health))
    assert "100000000000000000 = 100,000,000,000,000,000 ms" in text
    assert "397 events with times outside the years 1 to 9999 are not shown." in text
    assert "Events per 88 days" in text
    only_far = replace(health, first=far, activity=((far - far % DAY, 1_000),))
    assert "Events per" not in text_of(page(tmp_path, broken_time, health=only_far))


@pytest.mark.parametrize(
    ("interval", "intervals", "title", "bars"),
    [
        (HOUR, 72, "Events per hour", 72),
        (DAY, 200, "Events per day", 200),
        (DAY, 201, "Events per 2 days", 101),
    ],
)
def test_activity_has_a_bounded_number_of_bars(interval: int, intervals: int, title: str, bars: int) -> None:
    activity = tuple((START + number * interval, 1) for number in range(intervals))
    drawing = draw(replace(HEALTH, interval=interval, activity=activity, gaps=dict.fromkeys(GAPS, 0)))[0]
    assert drawing.title == title
    assert (
        len(re.findall(r'id="activity-patch_\d+"', drawing.svg)) == bars + 4
    )  # the figure, the axes and two spines
