"""Reports for people: copies of them in ``reports/<pipeline>/<run>/``, and an index page."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from zenml import get_step_context

from model_code.files import replacing, write_json
from model_code.reports.index import LINEAGE, render_index
from model_code.reports.page import stamped
from steps.caching import ROOT

REPORTS = ROOT / "reports"


def run_folder() -> Path:
    """The folder of the running pipeline's reports."""
    context = get_step_context()
    return REPORTS / context.pipeline.name / context.pipeline_run.name


def publish(report: Path, lineage: Mapping[str, str]) -> Path:
    """Copy a report to the run's folder, renew the index page, and return where the copy is.

    A page says at its foot which data and code the run used. What the step keeps does not: it may come from
    the cache, made for the same rows by an earlier commit.

    Args:
        report: an HTML page, or a file of results, which is copied as it is.
        lineage: versions of data and code.
    """
    published = run_folder() / report.name
    with replacing(published) as temporary:
        if report.suffix == ".html":
            page = stamped(report.read_text(encoding="utf-8"), lineage)
            temporary.write_text(page, encoding="utf-8")
        else:
            shutil.copy(report, temporary)
    write_json(published.with_name(LINEAGE), dict(lineage))
    render_index(REPORTS)
    return published
