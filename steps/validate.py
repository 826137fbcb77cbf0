"""Click log -> what validation found, with its report."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from zenml import step

from model_code.events.click_log import ClickLog
from model_code.events.engine import EngineSettings
from model_code.events.health import measure
from model_code.events.log_tables import log_tables
from model_code.events.repeats import RepeatedFile
from model_code.events.validation import ValidationFolder
from model_code.events.validation_settings import ValidationSettings
from model_code.reports.validation import ValidationReport, render_validation
from steps.artifacts import FolderMaterializer, output_folder
from steps.caching import ROOT, cache_policy, code_version
from steps.expectations.apart import validate_apart
from steps.measure import measured

version = partial(code_version, __name__, "steps.expectations.__main__")


@step(cache_policy=cache_policy(__name__), output_materializers=FolderMaterializer)
def validate(
    log: ClickLog,
    name: str,
    suite: str,
    suite_version: str,
    limits: ValidationSettings,
    engine: EngineSettings,
) -> Annotated[ValidationFolder, "validation"]:
    """Check the whole log against the suite of expectations; failures are for the gate to act on.

    Args:
        log: the log.
        name: what the report calls it.
        suite: YAML file of the expectations, relative to the project.
        suite_version: version of that file; a new one makes the step run again.
        limits: the thresholds that the suite refers to.
        engine: how much of the machine to use.
    """
    with measured() as notes:
        folder = ValidationFolder(output_folder())
        folder.path.mkdir(parents=True)
        with log_tables(log, engine) as tables:
            result = validate_apart(tables, ROOT / suite, limits, engine, folder.result_file)
            health = measure(log, tables, engine)
        table = log.manifest["category_table"]
        repeats = [RepeatedFile(**repeat) for repeat in log.manifest["repeated_files"]]
        report = ValidationReport(name, result, log.balance, health, table, repeats)
        render_validation(report, folder.report)
        notes.update(
            expectations=len(result.outcomes), failed=dict(result.failures), suite_version=suite_version
        )
    return folder
