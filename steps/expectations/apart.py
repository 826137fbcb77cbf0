"""Validation in a process of its own.

Great Expectations takes seconds to import, logs a lot, and beside torch in one process makes DuckDB report
dozens of "leaked" objects when the process ends. Apart, none of this reaches the pipeline.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from model_code.events.validation import ValidationResult
from model_code.settings import SettingsError

if TYPE_CHECKING:
    from model_code.events.engine import EngineSettings
    from model_code.events.validation_settings import ValidationSettings

ROOT = Path(__file__).resolve().parents[2]
BAD_SUITE = 3  # exit status of the process when the suite is wrong; its standard error says how


def validate_apart(
    tables: Path, suite: Path, limits: ValidationSettings, engine: EngineSettings, out: Path
) -> ValidationResult:
    """Check ``tables`` as `steps.expectations.run.validate` does, and write the result to ``out``.

    Raises:
        SettingsError: the suite is wrong.
        RuntimeError: the process failed; holds what it said.
    """
    request = {
        "tables": str(tables.absolute()),
        "suite": str(suite.absolute()),
        "limits": asdict(limits),
        "engine": asdict(engine),
        "out": str(out.absolute()),
    }
    process = subprocess.run(
        [sys.executable, "-m", "steps.expectations"],
        input=json.dumps(request),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode == BAD_SUITE:
        raise SettingsError(process.stderr.strip())
    if process.returncode != 0:
        raise RuntimeError(f"validation failed:\n{process.stderr}")
    return ValidationResult.load(out)
