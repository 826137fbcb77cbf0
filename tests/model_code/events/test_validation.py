"""Validation results rank their failures and survive a file; limits refuse nonsense by name."""

from pathlib import Path

import pytest

from model_code.events.validation import Outcome, ValidationResult
from model_code.events.validation_settings import ValidationSettings
from model_code.settings import SettingsError, parse


def outcome(severity: str, passed: bool, description: str = "D.") -> Outcome:
    return Outcome(
        description=description,
        type="T",
        table="events",
        column=None,
        severity=severity,
        passed=passed,
        expected="1",
        observed="2",
        unexpected_count=1,
        unexpected_share=0.1,
        examples=({"user_id": 2**60 + 1, "item_id": "é<", "category_id": None, "share": 0.1},),
    )


def test_worst_failure_comes_first() -> None:
    result = ValidationResult(
        outcomes=(
            outcome("info", False, "a"),
            outcome("critical", True, "b"),
            outcome("warning", False, "c"),
            outcome("critical", False, "d"),
            outcome("critical", False, "e"),
        )
    )
    assert [failure.description for failure in result.failed] == ["d", "e", "c", "a"]
    assert [failure.description for failure in result.critical_failures] == ["d", "e"]
    assert result.worst_failed_severity == "critical"
    assert result.failures == {"critical": 2, "warning": 1, "info": 1}


@pytest.mark.parametrize(
    ("outcomes", "worst"),
    [
        ((), None),
        ((outcome("critical", True),), None),
        ((outcome("critical", True), outcome("info", False)), "info"),
        ((outcome("info", False), outcome("warning", False)), "warning"),
    ],
)
def test_worst_failed_severity(outcomes: tuple, worst: str | None) -> None:
    assert ValidationResult(outcomes=outcomes).worst_failed_severity == worst


def test_file_round_trip_is_exact(tmp_path: Path) -> None:
    result = ValidationResult(outcomes=(outcome("info", False), outcome("critical", True)), skipped=("S.",))
    result.save(tmp_path / "result.json")
    loaded = ValidationResult.load(tmp_path / "result.json")
    assert loaded == result
    assert loaded.outcomes[0].examples[0]["user_id"] == 2**60 + 1


def test_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"outcomes": [{"description": "x"}]}')
    with pytest.raises(SettingsError, match=r"other\.json.*severity"):
        ValidationResult.load(tmp_path / "other.json")


def test_moments_become_utc_milliseconds() -> None:
    limits = ValidationSettings(earliest="2017-11-25T00:00:00+08:00", latest="2017-12-04")
    assert limits.parameters()["earliest"] == 1_511_539_200_000
    assert limits.parameters()["latest"] == 1_512_345_600_000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("earliest", "yesterday"),
        ("latest", "1990-01-01"),
        ("behaviors", ()),
        ("smallest_rows", 0),
        ("smallest_mean_events", -1.0),
        ("largest_user_share", 1.5),
        ("noticed_quarantine_share", -0.1),
        ("largest_nonsense", 1),
    ],
)
def test_wrong_limit_is_refused(name: str, value: object) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(ValidationSettings, {name: value}, "validation")
    assert f"validation.{name} = " in str(caught.value)
    assert repr(value) in str(caught.value)


def test_limits_come_from_plain_values() -> None:
    limits = parse(ValidationSettings, {"behaviors": ["view", "cart"], "smallest_rows": 5}, "validation")
    assert limits.parameters()["behaviors"] == ["view", "cart"]
    assert limits.parameters()["smallest_rows"] == 5
