"""All that is known of a run -> the verdict of the gates, and the comparison report."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from zenml import get_step_context, step

from model_code.bundle import VOCABULARY, Bundle
from model_code.evaluation.comparison import Differences
from model_code.evaluation.comparison import compare as compare_models
from model_code.evaluation.evaluate import evaluate as evaluate_scores
from model_code.evaluation.gates import GateSettings, decide
from model_code.events.split import SplitLog
from model_code.files import write_json
from model_code.reports.comparison import ComparisonReport, Origin, render_comparison
from model_code.scoring import recode, score_part
from model_code.sequences.vocabulary import Vocabulary
from steps.artifacts import (
    ComparisonFolder,
    EvaluationFolder,
    FolderMaterializer,
    SequenceFolder,
    ValidationFolder,
    VerdictFolder,
    output_folder,
)
from steps.champion import Champion, find_champion
from steps.lineage import lineage
from steps.measure import measured
from steps.reports import publish


@step(enable_cache=False, output_materializers=FolderMaterializer)
def judge(
    name: str,
    labels: list[str],
    bundles: list[Bundle],
    evaluations: list[EvaluationFolder],
    comparison: ComparisonFolder,
    validation: ValidationFolder,
    split_log: SplitLog,
    sequences: SequenceFolder,
    gates: GateSettings,
    settings: dict[str, Any],
) -> Annotated[VerdictFolder, "verdict"]:
    """Hold the main model, the first of ``labels``, against the gates and the champion; write the report.

    Never cached: the champion may have changed.
    """
    with measured() as notes:
        folder = VerdictFolder(output_folder())
        folder.path.mkdir(parents=True)
        by_label = {label: item.evaluation for label, item in zip(labels, evaluations, strict=True)}
        champion = find_champion(get_step_context().model.name)
        manifest = sequences.load().manifest
        verdict = decide(
            gates,
            by_label[labels[0]].metrics,
            critical_failures=[failure.description for failure in validation.result.critical_failures],
            popularity_auc=manifest["sanity"]["test"]["auc_popularity"],
            baselines=comparison.comparison,
            champion=_against(champion, evaluations[0], sequences) if champion else None,
        )
        write_json(folder.path / "verdict.json", asdict(verdict))
        report = ComparisonReport(
            origin=_origin(name, split_log),
            verdict=verdict,
            evaluations=by_label,
            comparison=comparison.comparison,
            histories={label: bundle.history for label, bundle in zip(labels, bundles, strict=True)},
            sanity_aucs={
                key.removeprefix("auc_"): value
                for key, value in manifest["sanity"]["test"].items()
                if key.startswith("auc_")
            },
            counts=_counts(split_log, manifest),
            settings=settings,
        )
        render_comparison(report, folder.report)
        publish(folder.report)
        notes.update(
            passed=verdict.passed,
            reasons=[f"{check.name}: {check.reason}" for check in verdict.checks],
            champion=f"version {champion.version} ({champion.stage})" if champion else "none",
        )
    return folder


def _origin(name: str, split_log: SplitLog) -> Origin:
    return Origin(
        dataset=name,
        run=get_step_context().pipeline_run.name,
        data_version=lineage().get("data.dvc md5", "not pinned"),
        validation_timestamp=split_log.manifest["validation_timestamp"],
        split_timestamp=split_log.manifest["split_timestamp"],
    )


def _counts(split_log: SplitLog, manifest: dict[str, Any]) -> dict[str, int]:
    """Rows at every stage of the preparation, in order."""
    stages = {f"{name.replace('_', ' ')} rows": rows for name, rows in split_log.manifest["balance"].items()}
    stages |= {name: split_log.manifest[name] for name in ("users", "items", "categories")}
    for part, counts in manifest["parts"].items():
        stages |= {f"{part}: {name.replace('_', ' ')}": value for name, value in counts.items()}
    return stages


def _against(champion: Champion, main: EvaluationFolder, sequences: SequenceFolder) -> Differences:
    """The main model minus the champion, which is scored on the same test samples."""
    data, manifest = sequences.load(), champion.bundle.manifest
    own, theirs = Vocabulary.load(sequences.path), Vocabulary.load(champion.bundle.path / VOCABULARY)
    resident = recode(data, own, theirs, manifest["max_length"])
    evaluation = main.evaluation
    with TemporaryDirectory() as folder:
        scores = Path(folder) / "champion.parquet"
        score_part(champion.bundle.load_model(), data, resident, "test", scores)
        evaluations = {"main": evaluation, "champion": evaluate_scores(scores, evaluation.settings)}
        paths = {"main": main.scores, "champion": scores}
        return compare_models(evaluations, paths, "main").differences["champion"]
