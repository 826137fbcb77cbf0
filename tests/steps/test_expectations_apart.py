"""Validation in a process of its own says what validation in this process says."""

from pathlib import Path

import pytest

from model_code.events.log_tables import log_tables
from model_code.settings import SettingsError
from steps.expectations.apart import validate_apart
from tests.steps.test_expectations import ENGINE, LIMITS, SUITE, check, clean_events, write_log


def test_apart_gives_the_same_result_and_the_same_error(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log", clean_events())
    out = tmp_path / "result.json"
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("events:\n  - {type: ExpectNonsense, description: x, severity: critical}\n")
    with log_tables(log, ENGINE) as tables:
        assert validate_apart(tables, SUITE, LIMITS, ENGINE, out) == check(log)
        with pytest.raises(SettingsError, match="ExpectNonsense"):
            validate_apart(tables, wrong, LIMITS, ENGINE, out)
