"""A wrong suite is refused before anything runs, by file, entry and value; limits read as words."""

from pathlib import Path

import pytest

from model_code.events.validation_settings import ValidationSettings
from model_code.settings import SettingsError
from steps.expectations import words
from steps.expectations.suite import Entry, read_suite

PARAMETERS = ValidationSettings().parameters()


def read(folder: Path, text: str):
    path = folder / "suite.yaml"
    path.write_text(text)
    return read_suite(path, PARAMETERS)


def entry(**changes: str) -> str:
    values = {
        "type": "ExpectColumnMaxToBeBetween",
        "description": "Few.",
        "severity": "info",
        "arguments": "{column: events, max_value: 5}",
    } | changes
    return "users: [{" + ", ".join(f"{name}: {value}" for name, value in values.items()) + "}]"


def test_right_entry_is_read(tmp_path: Path) -> None:
    [read_entry] = read(tmp_path, entry())["users"]
    assert read_entry == Entry(
        type="ExpectColumnMaxToBeBetween",
        description="Few.",
        severity="info",
        arguments={"column": "events", "max_value": 5},
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (entry(type="ExpectNothing"), ["users[0].type", "'ExpectNothing'"]),
        (entry(type="Expectation"), ["users[0].type", "'Expectation'"]),
        (entry(type="core"), ["users[0].type", "'core'"]),
        (entry(severity="fatal"), ["users[0].severity", "'fatal'"]),
        (entry(unit="metre"), ["users[0].unit", "'metre'"]),
        (entry(remark="x"), ["users[0].remark", "'x'", "no such setting"]),
        (entry(arguments="{column: events, biggest: 5}"), ["arguments.biggest", "5", "extra fields"]),
        (entry(arguments="{column: events, max_value: [5]}"), ["arguments.max_value", "[5]"]),
        (entry(arguments="{max_value: 5}"), ["arguments: column", "required"]),
        (entry(arguments="{column: events}"), ["users[0].arguments", "without min_value or max_value"]),
        (entry(arguments="{column: events, severity: info}"), ["arguments.severity"]),
        (
            entry(arguments="{column: events, max_value: {$PARAMETER: tallest}}"),
            ["arguments.max_value", "tallest", "smallest_rows"],
        ),
        ("people: []", ["'people'", "events, users, items, days, balance"]),
        ("users: {a: b}", ["users should be a list"]),
        ("users: [text]", ["users[0]", "'text'"]),
        ("[]", ["should map tables"]),
        ("users: [", ["line 1"]),
    ],
)
def test_wrong_suite_is_refused(text: str, named: list[str], tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    for part in [str(tmp_path / "suite.yaml"), *named]:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "unit", "expected"),
    [
        ({"column": "a"}, "count", "in every row"),
        (
            {"column": "a", "mostly": {"$PARAMETER": "smallest_known_category_share"}},
            "count",
            "in at least 50% of rows",
        ),
        ({"column": "a", "max_value": 0.005}, "share", "at most 0.5%"),
        ({"min_value": {"$PARAMETER": "smallest_rows"}}, "count", "at least 1,000"),
        ({"min_value": 2, "max_value": 3.5}, "count", "2 to 3.50"),
        ({"min_value": 0, "max_value": 0}, "count", "0"),
        ({"min_value": 1_506_816_000_000}, "time", "at least 2017-10-01 00:00 UTC"),
        (
            {"column": "a", "value_set": ["x", "y"], "mostly": 0.999},
            "count",
            "one of x, y, in at least 99.9% of rows",
        ),
        ({"column": "a", "regex": "^x"}, "count", "regex ^x"),
    ],
)
def test_expected_words(arguments: dict, unit: str, expected: str) -> None:
    written = Entry(type="T", description="D.", severity="info", unit=unit, arguments=arguments)
    assert words.expected(written, PARAMETERS) == expected


@pytest.mark.parametrize(
    ("result", "unit", "expected"),
    [
        ({"unexpected_count": 0, "element_count": 10}, "count", "all 10 rows"),
        ({"unexpected_count": 1, "element_count": 8}, "share", "all but 1 of 8 rows (12.5% fail)"),
        (
            {"unexpected_count": 1, "element_count": 10**7},
            "count",
            "all but 1 of 10,000,000 rows (< 0.0001% fail)",
        ),
        ({"observed_value": 1234567}, "count", "1,234,567"),
        ({"observed_value": 0.99996}, "share", "100%"),
        ({"observed_value": 1e17}, "time", "100,000,000,000,000,000 ms"),
        ({"observed_value": None}, "share", "–"),
        ({"observed_value": "BigInteger"}, "count", "BigInteger"),
        ({}, "count", "–"),
    ],
)
def test_observed_words(result: dict, unit: str, expected: str) -> None:
    assert words.observed(result, unit) == expected
