"""What a model saw in a window -> the verdict, the history of all windows, and the reports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from zenml import get_step_context, step
from zenml.logger import get_logger

from model_code.files import Folder
from model_code.lineage import data_version
from model_code.monitoring import history as windows
from model_code.monitoring.compare import compare
from model_code.monitoring.observed import ObservedFolder
from model_code.monitoring.reference import REFERENCE, Reference
from model_code.monitoring.settings import MonitoringSettings
from model_code.reports.monitoring import MonitoringReport, render_monitoring, terminal_verdict
from steps.artifacts import FolderMaterializer, output_folder
from steps.caching import ROOT
from steps.champion import require_version
from steps.drift_report import render_drift_report
from steps.measure import measured
from steps.reports import publish

logger = get_logger(__name__)


class MonitoringFolder(Folder):
    """A handle to what a monitoring run leaves."""

    @property
    def verdict(self) -> Path:
        """The verdict, as JSON: for a machine to act on."""
        return self.path / "verdict.json"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / "monitoring.html"

    @property
    def drift_report(self) -> Path:
        """Evidently's HTML report."""
        return self.path / "evidently.html"


@step(enable_cache=False, output_materializers=FolderMaterializer)
def monitor(
    observed: ObservedFolder,
    name: str,
    model: str,
    version: str,
    settings: MonitoringSettings,
    history: str,
    lineage: dict[str, str],
) -> Annotated[MonitoringFolder, "monitoring"]:
    """Compare the window with the reference, judge it, add it to the history, report.

    Never cached: it acts.

    Args:
        observed: the window.
        name: what the report calls its log.
        model: the model's name.
        version: the model's version.
        settings: thresholds and noise.
        history: file of all windows, relative to the project.
        lineage: versions of the window's data and of the code.
    """
    with measured() as notes:
        champion = require_version(model, version)
        reference = observed.reference or Reference.read(champion.bundle.path / REFERENCE)
        window = observed.window
        comparison = compare(reference, window, observed.behaviors, observed.facts, settings, model, version)
        records = windows.append(ROOT / history, windows.record(comparison))
        folder = MonitoringFolder(output_folder())
        folder.path.mkdir(parents=True)
        comparison.verdict.write(folder.verdict)
        report = MonitoringReport(
            dataset=name,
            run=get_step_context().pipeline_run.name,
            comparison=comparison,
            reference_start=reference.observations.start,
            reference_end=reference.observations.end,
            history=[record for record in records if record.source == window.kind],
            settings=settings,
        )
        render_monitoring(report, folder.report)
        files = [folder.verdict, folder.report]
        if settings.sample_rows and len(window) and len(reference.observations):
            render_drift_report(reference.observations, window, settings, folder.drift_report)
            files.append(folder.drift_report)
        trained_on = data_version(champion.bundle.manifest.get("lineage", {}))
        origin = lineage | {f"data of version {version}": trained_on}
        published = {file.stem: publish(file, origin).relative_to(ROOT).as_posix() for file in files}
        published["history"] = history
        logger.info("\n%s\n", terminal_verdict(report, published))
        notes.update(verdict=comparison.verdict.status, reasons=comparison.verdict.reasons, reports=published)
    return folder
