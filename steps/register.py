"""Verdict -> a registered model version, with its lineage, and a stage if the gates hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from zenml import ArtifactConfig, get_step_context, log_metadata, step
from zenml.enums import ArtifactType, ModelStages
from zenml.logger import get_logger

from model_code.bundle import ONNX, Bundle, extend_bundle
from model_code.evaluation.comparison import ComparisonFolder
from model_code.evaluation.evaluate import EvaluationFolder
from model_code.events.click_log import ClickLog
from model_code.events.split import SplitLog
from model_code.events.validation import ValidationFolder
from model_code.export import export_onnx
from model_code.monitoring.reference import REFERENCE, reference_of
from model_code.reports.summary import RunFacts, model_card, terminal_summary
from model_code.sequences.data import SequenceFolder
from steps.artifacts import FolderMaterializer, output_folder
from steps.caching import ROOT
from steps.champion import BUNDLE, CHECKSUM
from steps.judge import VerdictFolder
from steps.measure import measured
from steps.reports import REPORTS, publish

logger = get_logger(__name__)


@step(enable_cache=False, output_materializers=FolderMaterializer)
def register(
    labels: list[str],
    bundle: Bundle,
    evaluations: list[EvaluationFolder],
    comparison: ComparisonFolder,
    validation: ValidationFolder,
    verdict: VerdictFolder,
    clicks: ClickLog,
    split_log: SplitLog,
    sequences: SequenceFolder,
    settings: dict[str, Any],
    lineage: dict[str, str],
) -> Annotated[Bundle, ArtifactConfig(name=BUNDLE, artifact_type=ArtifactType.MODEL)]:
    """Pack the main model with metrics, card and reference, log its lineage, set its stage, sum up the run.

    Never cached: it acts.
    """
    with measured():
        model = get_step_context().model
        facts = RunFacts(
            name=model.name,
            version=str(model.version),
            split=split_log.manifest,
            sequences=sequences.load().manifest,
            evaluations={label: item.evaluation for label, item in zip(labels, evaluations, strict=True)},
            comparison=comparison.comparison,
            verdict=verdict.verdict,
            log=verdict.log_change,
            lineage={**lineage, "run": get_step_context().pipeline_run.name},
            reports=_publish(validation, verdict, lineage),
        )
        length = bundle.manifest["max_length"]
        reference = reference_of(bundle, sequences, evaluations[0].scores, clicks)
        files: dict[str, str | Callable[[Path], None]] = {
            REFERENCE: reference.write,
            ONNX: lambda folder: export_onnx(bundle.load_model(), length, folder),
            "MODEL_CARD.md": model_card(facts, settings),
            "metrics.json": json.dumps(_metrics(facts), indent=2),
        }
        details = {
            "registered": {"model": facts.name, "version": facts.version, "run": facts.lineage["run"]},
            "verdict": asdict(facts.verdict),
            "lineage": facts.lineage,
            "log": asdict(facts.log.now),
            "pipeline_settings": settings,
        }
        registered = extend_bundle(bundle, output_folder(), files, details)
        metadata: dict[str, Any] = {
            CHECKSUM: registered.checksum,
            "lineage": dict(facts.lineage),
            "settings": settings,
            "split": dict(facts.split),
            "sequences": dict(facts.sequences),
            "validation": {str(key): value for key, value in validation.result.failures.items()},
            "metrics": _metrics(facts),
            "verdict": asdict(facts.verdict),
            "reports": dict(facts.reports),
        }
        log_metadata(metadata=metadata, infer_model=True)
        if facts.verdict.passed:
            model.set_stage(ModelStages.STAGING, force=True)
        logger.info("\n%s\n", terminal_summary(facts))
    return registered


def _publish(validation: ValidationFolder, verdict: VerdictFolder, lineage: dict[str, str]) -> dict[str, str]:
    """Copy the reports again: the steps that made them may have been served from the cache."""
    reports = {"log": publish(validation.report, lineage), "models": publish(verdict.report, lineage)}
    shown = {
        name: path.relative_to(ROOT) for name, path in {**reports, "all runs": REPORTS / "index.html"}.items()
    }
    return {name: path.as_posix() for name, path in shown.items()}


def _metrics(facts: RunFacts) -> dict[str, Any]:
    """Metrics with intervals, and the main model's differences, by model."""
    return {
        label: {
            "metrics": asdict(evaluation.metrics),
            "intervals": asdict(evaluation.intervals),
            "main_minus_this": asdict(facts.comparison.differences[label])
            if label in facts.comparison.differences
            else None,
        }
        for label, evaluation in facts.evaluations.items()
    }
