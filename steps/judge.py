"""All that is known of a run -> the verdict of the gates, and the comparison report."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from zenml import get_step_context, step
from zenml.logger import get_logger

from model_code.bundle import Bundle
from model_code.evaluation.comparison import ComparisonFolder, Differences
from model_code.evaluation.evaluate import EvaluationFolder
from model_code.evaluation.gates import GateSettings, Verdict, decide
from model_code.events.split import SplitLog
from model_code.events.validation import ValidationFolder
from model_code.files import Folder, read_json, write_json
from model_code.lineage import data_version
from model_code.reports.comparison import ComparisonReport, Origin, render_comparison
from model_code.reports.log_change import LogChange, LogFacts
from model_code.sequences.data import SequenceFolder
from model_code.settings import parse
from model_code.training.device import resolve_device
from steps.artifacts import FolderMaterializer, output_folder
from steps.champion import Champion, against, find_champion, version_before
from steps.measure import measured
from steps.reports import publish

logger = get_logger(__name__)


class VerdictFolder(Folder):
    """A handle to the verdict of the gates, and to the comparison report."""

    @property
    def file(self) -> Path:
        """The verdict, as JSON."""
        return self.path / "verdict.json"

    @property
    def verdict(self) -> Verdict:
        """All checks and whether they hold."""
        return parse(Verdict, read_json(self.file), self.file.name)

    @property
    def log_change_file(self) -> Path:
        """The log beside that of the version before, as JSON."""
        return self.path / "log_change.json"

    @property
    def log_change(self) -> LogChange:
        """The log beside that of the version before."""
        return LogChange.read(self.log_change_file)

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / "comparison.html"


@step(enable_cache=False, output_materializers=FolderMaterializer)
def judge(
    name: str,
    labels: list[str],
    rivals: list[str],
    bundles: list[Bundle],
    evaluations: list[EvaluationFolder],
    comparison: ComparisonFolder,
    validation: ValidationFolder,
    split_log: SplitLog,
    sequences: SequenceFolder,
    gates: GateSettings,
    device: str,
    settings: dict[str, Any],
    lineage: dict[str, str],
) -> Annotated[VerdictFolder, "verdict"]:
    """Hold the main model against the gates and the champion; write the report.

    Never cached: the champion may have changed.

    Args:
        name: of the log.
        labels: of all models: the main one, those it is compared with, and last the ones from elsewhere.
        rivals: labels of those that it must hold its own with.
        bundles: in order of ``labels``; models from elsewhere have none.
        evaluations: in order of ``labels``.
        comparison: of the main model with the others.
        validation: of the log.
        split_log: the split log.
        sequences: the prepared log.
        gates: the thresholds.
        device: to score the champion on.
        settings: of the run, by dotted name.
        lineage: versions of data and code.
    """
    with measured() as notes:
        folder = VerdictFolder(output_folder())
        folder.path.mkdir(parents=True)
        by_label = {label: item.evaluation for label, item in zip(labels, evaluations, strict=True)}
        prepared = sequences.load().manifest
        champion = find_champion(get_step_context().model.name)
        differences, problem = _against(champion, evaluations[0], sequences, device)
        verdict = decide(
            gates,
            by_label[labels[0]].metrics,
            critical_failures=[failure.description for failure in validation.result.critical_failures],
            sanity_aucs=_sanity_aucs(prepared),
            baselines=comparison.comparison.only(rivals),
            champion=differences,
            champion_problem=problem,
        )
        write_json(folder.file, asdict(verdict))
        log = LogFacts.of(lineage, split_log.manifest, prepared)
        change = _log_change(log, champion)
        change.write(folder.log_change_file)
        report = ComparisonReport(
            origin=_origin(name, split_log, lineage),
            verdict=verdict,
            evaluations=by_label,
            comparison=comparison.comparison,
            histories={label: bundle.history for label, bundle in zip(labels, bundles, strict=False)},
            sanity_aucs=_sanity_aucs(prepared),
            counts=_counts(split_log, prepared),
            settings=settings,
            log_change=change,
            from_elsewhere=labels[len(bundles) :],
        )
        render_comparison(report, folder.report)
        publish(folder.report, lineage)
        notes.update(
            passed=verdict.passed,
            reasons=[f"{check.name}: {check.reason}" for check in verdict.checks],
            champion=f"version {champion.version} ({champion.stage})" if champion else "none",
        )
    return folder


def _against(
    champion: Champion | None, main: EvaluationFolder, sequences: SequenceFolder, device: str
) -> tuple[Differences | None, str]:
    """The main model minus the champion, or why there is no such thing.

    A champion that cannot be scored, after a change of code say, must not cost the run that was just
    trained: it fails a check, which a person then looks at.
    """
    if champion is None:
        return None, ""
    try:
        champion.bundle.verify(champion.checksum)
        return against(champion.bundle, main, sequences, resolve_device(device)), ""
    except Exception as error:
        return None, f"version {champion.version}: {type(error).__name__}: {error}"


def _log_change(now: LogFacts, champion: Champion | None) -> LogChange:
    """The log beside that of the version before; where this machine knows no such version, the champion's.

    What cannot be read of it must not cost the run.
    """
    model = get_step_context().model
    try:
        before = version_before(model.name, model.number) or champion
        facts = before and before.bundle.manifest.get("log")
        if before and facts:
            return LogChange(now, before.version, parse(LogFacts, facts, "log"))
    except Exception as error:
        logger.warning("The version before is not compared with: %s: %s", type(error).__name__, error)
    return LogChange(now)


def _origin(name: str, split_log: SplitLog, lineage: dict[str, str]) -> Origin:
    return Origin(
        dataset=name,
        run=get_step_context().pipeline_run.name,
        data_version=data_version(lineage),
        validation_timestamp=split_log.manifest["validation_timestamp"],
        split_timestamp=split_log.manifest["split_timestamp"],
    )


def _sanity_aucs(prepared: dict[str, Any]) -> dict[str, float]:
    found = prepared["sanity"]["test"].items()
    return {key.removeprefix("auc_"): value for key, value in found if key.startswith("auc_")}


def _counts(split_log: SplitLog, prepared: dict[str, Any]) -> dict[str, int]:
    """Rows at every stage of the preparation, in order."""
    stages = {f"{name.replace('_', ' ')} rows": rows for name, rows in split_log.manifest["balance"].items()}
    stages |= {name: prepared[name] for name in ("users", "items", "categories")}
    for part, counts in prepared["parts"].items():
        stages |= {f"{part}: {name.replace('_', ' ')}": value for name, value in counts.items()}
    return stages
