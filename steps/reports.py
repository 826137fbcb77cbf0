"""Reports for people: copies of them in ``reports/<pipeline>/<run>/``, and an index page."""

from __future__ import annotations

import shutil
from pathlib import Path

from zenml import get_step_context

from model_code.files import replacing
from model_code.reports.index import render_index
from steps.caching import ROOT

REPORTS = ROOT / "reports"


def run_folder() -> Path:
    """The folder of the running pipeline's reports."""
    context = get_step_context()
    return REPORTS / context.pipeline.name / context.pipeline_run.name


def publish(report: Path) -> Path:
    """Copy a report to the run's folder, renew the index page, and return where the copy is."""
    published = run_folder() / report.name
    with replacing(published) as temporary:
        shutil.copy(report, temporary)
    render_index(REPORTS)
    return published
