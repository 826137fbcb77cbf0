"""Validation in a process of its own says what validation in this process says."""

from pathlib import Path

import pytest

from model_code.settings import SettingsError
from steps.expectations.apart import validate_apart
from tests.steps.test_expectations import ENGINE, LIMITS, SUITE, check, clean_events, write_log


def test_apart_gives_the_same_result_and_the_same_error(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log", clean_events())
    out = tmp_path / "result.json"
    assert validate_apart(log, SUITE, LIMITS, ENGINE, out) == check(log)
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("events:\n  - {type: ExpectNonsense, description: x, severity: critical}\n")
    with pytest.raises(SettingsError, match="ExpectNonsense"):
        validate_apart(log, wrong, LIMITS, ENGINE, out)
