"""Searches -> the tuning report, the table of all trials and the chosen settings."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from zenml import get_step_context, log_metadata, step
from zenml.logger import get_logger

from model_code.events.split import SplitLog
from model_code.files import Folder, write_json
from model_code.reports.tuning import TuningOrigin, TuningReport, render_tuning
from model_code.tuning.result import SearchFolder, tuned_yaml, write_csv
from steps.artifacts import FolderMaterializer, output_folder
from steps.caching import ROOT
from steps.reports import publish, run_folder

logger = get_logger(__name__)

TUNED = "configs/tuned"


class TuningFolder(Folder):
    """A handle to what a tuning run leaves."""

    @property
    def tuned(self) -> Path:
        """The chosen settings, as YAML."""
        return self.path / "tuned.yaml"

    @property
    def trials_json(self) -> Path:
        """All trials, with the AUC after each pass."""
        return self.path / "trials.json"

    @property
    def trials_csv(self) -> Path:
        """All trials, a row each."""
        return self.path / "trials.csv"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / "tuning.html"


@step(enable_cache=False, output_materializers=FolderMaterializer)
def tuning_report(
    searches: list[SearchFolder],
    split_log: SplitLog,
    name: str,
    config: str,
    budget: dict[str, Any],
    lineage: dict[str, str],
) -> Annotated[TuningFolder, "tuning"]:
    """Write and publish what the searches found.

    Never cached: each run has its own folder of reports.

    Args:
        searches: one a model.
        split_log: for the times between which validation lies.
        name: what the report calls the log.
        config: the name under ``configs/tuned`` that the chosen settings should get.
        budget: what all models got alike, by what to call it.
        lineage: versions of data and code.
    """
    folder = TuningFolder(output_folder())
    folder.path.mkdir(parents=True)
    results = [search.result for search in searches]
    tuned = tuned_yaml(results, name)
    folder.tuned.write_text(tuned, encoding="utf-8")
    write_json(folder.trials_json, [asdict(result) for result in results])
    write_csv(results, folder.trials_csv)
    kept = (run_folder() / folder.tuned.name).relative_to(ROOT)
    command = f"mkdir -p {TUNED} && cp {kept} {TUNED}/{config}.yaml"
    origin = TuningOrigin(
        dataset=name,
        run=get_step_context().pipeline_run.name,
        validation_timestamp=split_log.manifest["validation_timestamp"],
        split_timestamp=split_log.manifest["split_timestamp"],
    )
    render_tuning(TuningReport(origin, results, budget, tuned, command), folder.report)
    for file in (folder.tuned, folder.trials_json, folder.trials_csv, folder.report):
        published = publish(file, lineage)
    logger.info("Report: %s\nChosen settings:\n%s\nTo keep them: %s", published, tuned, command)
    log_metadata({"report": str(published), "command": command})
    return folder
