"""Planted defects are found, each with its severity, over all rows; a clean log passes."""

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model_code.events.click_log import ClickLog
from model_code.events.engine import EngineSettings
from model_code.events.log_tables import log_tables
from model_code.events.validation import ValidationResult
from model_code.events.validation_settings import ValidationSettings
from steps.expectations.run import EXAMPLES, validate

SUITE = Path("configs/expectations/click_log.yaml")
ENGINE = EngineSettings(threads=1, memory_limit="300MB")
START = 1_506_816_000_000
DAY = 86_400_000


def clean_events(rows: int = 2_000) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "user_id": random.integers(0, 100, rows),
            "item_id": [f"i{item}" for item in random.integers(0, 200, rows)],
            "category_id": pd.array(random.integers(0, 5, rows), dtype="Int64"),
            "timestamp": START + random.integers(0, 10 * DAY, rows),
            "behavior": "click",
        }
    ).sort_values(["user_id", "timestamp"], ignore_index=True)


def write_log(folder: Path, events: pd.DataFrame, **balance: int) -> ClickLog:
    folder.mkdir(exist_ok=True)
    events.to_parquet(folder / "events.parquet", index=False)
    parts = {"kept": len(events), "quarantined": 0, "duplicates": 0, "filtered_behaviors": 0} | balance
    manifest = {"balance": {"raw": sum(parts.values()) - parts.get("raw", 0)} | parts}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return ClickLog(folder)


LIMITS = ValidationSettings(behaviors=("click", "pv", "view"))


def check(log: ClickLog, limits: ValidationSettings | None = None, suite: Path = SUITE) -> ValidationResult:
    with log_tables(log, ENGINE) as tables:
        return validate(tables, suite, limits or LIMITS, ENGINE)


def failures(result: ValidationResult) -> set[tuple[str, str | None, str]]:
    return {(outcome.table, outcome.column, outcome.severity) for outcome in result.failed}


def test_clean_log_passes(tmp_path: Path) -> None:
    result = check(write_log(tmp_path, clean_events()))
    assert result.failed == []
    assert result.worst_failed_severity is None
    assert len(result.outcomes) == 20
    assert result.skipped == ()
    assert all(outcome.observed and outcome.expected for outcome in result.outcomes)


def test_numbers_and_strings_as_ids_pass(tmp_path: Path) -> None:
    events = clean_events()
    events["user_id"] = "u" + events["user_id"].astype(str)
    events["item_id"] = events["item_id"].str[1:].astype("int64")
    events["category_id"] = "c" + events["category_id"].astype(str)
    assert check(write_log(tmp_path, events)).failed == []


def missing_user(events: pd.DataFrame) -> None:
    events["user_id"] = events["user_id"].astype("Int64")
    events.loc[7, "user_id"] = pd.NA


def missing_item(events: pd.DataFrame) -> None:
    events.loc[7, "item_id"] = None


def missing_time(events: pd.DataFrame) -> None:
    events["timestamp"] = events["timestamp"].astype("Int64")
    events.loc[7, "timestamp"] = pd.NA


def seconds_for_milliseconds(events: pd.DataFrame) -> None:
    events.loc[:3, "timestamp"] //= 1000


def microseconds_for_milliseconds(events: pd.DataFrame) -> None:
    events.loc[:3, "timestamp"] *= 1000


def unwanted_behavior(events: pd.DataFrame) -> None:
    events.loc[7, "behavior"] = "buy"


def unknown_categories(events: pd.DataFrame) -> None:
    events.loc[: int(0.6 * len(events)), "category_id"] = pd.NA


def bot(events: pd.DataFrame) -> None:
    events.loc[events["user_id"] < 10, "user_id"] = 3


def one_item(events: pd.DataFrame) -> None:
    events.loc[events.index % 5 == 0, "item_id"] = "i3"


def one_user(events: pd.DataFrame) -> None:
    events["user_id"] = 1


def no_histories(events: pd.DataFrame) -> None:
    events["user_id"] = np.arange(len(events))


def few_items(events: pd.DataFrame) -> None:
    events["item_id"] = [f"i{number % 20}" for number in range(len(events))]


def one_day(events: pd.DataFrame) -> None:
    events["timestamp"] = START + events["timestamp"] % DAY


def one_busy_day(events: pd.DataFrame) -> None:
    busy = events.index % 10 < 6
    events.loc[busy, "timestamp"] = START + events["timestamp"] % DAY


@pytest.mark.parametrize(
    ("plant", "expected"),
    [
        (missing_user, {("events", "user_id", "critical")}),
        (missing_item, {("events", "item_id", "critical")}),
        (missing_time, {("events", "timestamp", "critical")}),
        (seconds_for_milliseconds, {("events", "timestamp", "critical")}),
        (microseconds_for_milliseconds, {("events", "timestamp", "critical")}),
        (unwanted_behavior, {("events", "behavior", "critical")}),
        (unknown_categories, {("events", "category_id", "warning")}),
        (bot, {("users", "share", "warning")}),
        (one_item, {("items", "share", "warning")}),
        (one_user, {("users", None, "critical"), ("users", "share", "warning")}),
        (no_histories, {("users", "events", "critical")}),
        (few_items, {("items", None, "critical")}),
        (one_day, {("days", None, "critical"), ("days", "share", "info")}),
        (one_busy_day, {("days", "share", "info")}),
    ],
)
def test_planted_defect_is_found(plant, expected, tmp_path: Path) -> None:
    events = clean_events()
    plant(events)
    assert failures(check(write_log(tmp_path, events))) == expected


def test_time_of_another_type_is_found(tmp_path: Path) -> None:
    events = clean_events()
    events["timestamp"] = (events["timestamp"] // 1_000_000).astype("int32")
    result = check(write_log(tmp_path, events))
    [outcome] = [outcome for outcome in result.outcomes if outcome.type == "ExpectColumnValuesToBeInTypeList"]
    assert not outcome.passed
    assert outcome.observed == "Integer"


@pytest.mark.parametrize(
    ("balance", "expected"),
    [
        ({"quarantined": 40}, {("balance", "quarantined_share", "warning")}),
        (
            {"quarantined": 400},
            {("balance", "quarantined_share", "critical"), ("balance", "quarantined_share", "warning")},
        ),
        ({"duplicates": 400}, {("balance", "duplicates_share", "warning")}),
        ({"filtered_behaviors": 4_000}, set()),
        ({"raw": 2_001}, {("balance", "unaccounted", "critical")}),
        ({"kept": 2_001}, {("balance", "unstored", "critical")}),
    ],
)
def test_balance(balance: dict[str, int], expected: set, tmp_path: Path) -> None:
    assert failures(check(write_log(tmp_path, clean_events(), **balance))) == expected


def test_every_row_is_checked(tmp_path: Path) -> None:
    """One bad row, the last of 200,000, is found and shown whole."""
    events = clean_events(200_000)
    events.loc[199_999, "item_id"] = None
    [outcome] = check(write_log(tmp_path, events)).failed
    assert outcome.unexpected_count == 1
    assert outcome.unexpected_share == pytest.approx(1 / 200_000)
    assert outcome.observed == "all but 1 of 200,000 rows (0.0005% fail)"
    bad = events.loc[199_999]
    assert outcome.examples == (
        {
            "user_id": bad["user_id"],
            "item_id": None,
            "category_id": bad["category_id"],
            "timestamp": bad["timestamp"],
            "behavior": "click",
        },
    )


def test_examples_are_few_and_the_first_in_the_file(tmp_path: Path) -> None:
    events = clean_events()
    unwanted = events.index[events.index % 3 == 1]
    events.loc[unwanted, "behavior"] = "buy"
    [outcome] = check(write_log(tmp_path, events)).failed
    assert outcome.unexpected_count == len(unwanted)
    times = [example["timestamp"] for example in outcome.examples]
    assert times == events.loc[unwanted[:EXAMPLES], "timestamp"].tolist()


def test_limits_come_from_settings(tmp_path: Path) -> None:
    """The clean log fails each limit that is set just beyond what it has."""
    limits = ValidationSettings(
        behaviors=("view",),
        smallest_rows=2_001,
        smallest_users=101,
        smallest_items=201,
        smallest_days=11,
        smallest_mean_events=20.1,
        largest_user_share=0.011,
        largest_item_share=0.005,
        largest_day_share=0.1,
    )
    assert failures(check(write_log(tmp_path, clean_events()), limits)) == {
        ("events", "behavior", "critical"),
        ("events", None, "critical"),
        ("users", None, "critical"),
        ("items", None, "critical"),
        ("days", None, "critical"),
        ("users", "events", "critical"),
        ("users", "share", "warning"),
        ("items", "share", "warning"),
        ("days", "share", "info"),
    }


@pytest.mark.parametrize(
    "limits",
    [
        ValidationSettings(earliest="2017-10-02"),
        ValidationSettings(latest="2017-10-10T23:00:00+00:00"),
    ],
)
def test_window_comes_from_settings(limits: ValidationSettings, tmp_path: Path) -> None:
    assert failures(check(write_log(tmp_path, clean_events()), limits)) == {
        ("events", "timestamp", "critical")
    }


def test_expectation_on_an_absent_optional_column_is_skipped(tmp_path: Path) -> None:
    result = check(write_log(tmp_path, clean_events().drop(columns="behavior")))
    assert result.failed == []
    assert result.skipped == ("Only the wanted behaviours remain.",)


def test_one_failing_query_leaves_the_others_alone(tmp_path: Path) -> None:
    """A mean of strings and a column that is not there fail alone, and say why; all else is still checked."""
    suite = tmp_path / "suite.yaml"
    mean = "type: ExpectColumnMeanToBeBetween, arguments: {column: item_id, min_value: 1}"
    absent = "type: ExpectColumnMaxToBeBetween, arguments: {column: absent, min_value: 1}"
    broken = f"""events:
  - {{description: A., severity: info, {mean}}}
  - {{description: B., severity: info, {absent}}}"""
    suite.write_text(SUITE.read_text().replace("events:", broken, 1))
    result = check(write_log(tmp_path / "log", clean_events()), suite=suite)
    assert [outcome.description for outcome in result.failed] == ["A.", "B."]
    assert ["avg" in str(result.failed[0].error), "absent" in str(result.failed[1].error)] == [True, True]
    assert len(result.outcomes) == 22


@pytest.mark.parametrize("rows", [0, 1])
def test_empty_log_fails_rather_than_crashes(rows: int, tmp_path: Path) -> None:
    result = check(write_log(tmp_path, clean_events(2_000)[:rows]))
    assert {("events", None, "critical"), ("users", None, "critical")} <= failures(result)


def test_nothing_is_printed_logged_or_left_behind(tmp_path: Path, capfd, caplog, monkeypatch) -> None:
    spill = tmp_path / "spill"
    spill.mkdir()
    monkeypatch.chdir(tmp_path)
    suite = Path(__file__).parents[2] / SUITE
    log = write_log(tmp_path / "log", clean_events().drop(columns="category_id"))
    before = sorted(tmp_path.rglob("*"))
    engine = EngineSettings(spill_folder=str(spill))
    with caplog.at_level(logging.WARNING), log_tables(log, engine) as tables:
        result = validate(tables, suite, ValidationSettings(), engine)
    assert result.failed[0].error is not None
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    assert sorted(tmp_path.rglob("*")) == before


def test_result_survives_the_file(tmp_path: Path) -> None:
    events = clean_events()
    events.loc[7, "item_id"] = None
    events.loc[8, "behavior"] = "<b>"
    result = check(write_log(tmp_path, events))
    result.save(tmp_path / "result.json")
    assert ValidationResult.load(tmp_path / "result.json") == result


def test_without_wanted_behaviors_any_may_remain(tmp_path: Path) -> None:
    result = check(write_log(tmp_path, clean_events()), ValidationSettings())
    assert result.failed == []
    assert result.skipped == ("Only the wanted behaviours remain.",)
