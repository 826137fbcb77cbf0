"""The training pipeline: from a raw click log to a judged and registered model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from zenml import Model, pipeline

from model_code.evaluation.evaluate import EvaluationSettings
from model_code.evaluation.gates import GateSettings
from model_code.evaluation.own_scores import OwnScores
from model_code.events.engine import EngineSettings
from model_code.events.source import SourceSettings
from model_code.events.split import SplitSettings
from model_code.events.validation_settings import ValidationSettings
from model_code.models.choice import ModelChoice
from model_code.sequences.settings import SequenceSettings
from model_code.settings import require
from model_code.training.settings import TrainingSettings
from pipelines.parameters import flat, from_yaml
from pipelines.preparation import LogConfig, prepare
from steps.caching import files_version
from steps.compare import compare
from steps.evaluate import evaluate
from steps.evaluate_own import evaluate_own
from steps.judge import judge
from steps.register import register
from steps.train import train

Source = Annotated[SourceSettings, from_yaml(SourceSettings, "source")]
Engine = Annotated[EngineSettings, from_yaml(EngineSettings, "engine")]
Limits = Annotated[ValidationSettings, from_yaml(ValidationSettings, "validation")]
Split = Annotated[SplitSettings, from_yaml(SplitSettings, "split")]
Sequences = Annotated[SequenceSettings, from_yaml(SequenceSettings, "sequences")]
Choice = Annotated[ModelChoice, from_yaml(ModelChoice, "model")]
Baseline = Annotated[ModelChoice, from_yaml(ModelChoice, "baselines")]
Own = Annotated[OwnScores, from_yaml(OwnScores, "own_scores")]
Training = Annotated[TrainingSettings, from_yaml(TrainingSettings, "training")]
EvaluationOf = Annotated[EvaluationSettings, from_yaml(EvaluationSettings, "evaluation")]
Gates = Annotated[GateSettings, from_yaml(GateSettings, "gates")]

DEMO = LogConfig()


@pipeline(model=Model(name="deminet-demo"))
def training_pipeline(
    name: str = DEMO.name,
    source: Source = DEMO.source,
    engine: Engine = DEMO.engine,
    suite: str = DEMO.suite,
    validation: Limits = DEMO.validation,
    split: Split = DEMO.split,
    sequences: Sequences = DEMO.sequences,
    model: Choice = ModelChoice(name="deminet"),
    baselines: list[Baseline] = [ModelChoice(name="din"), ModelChoice(name="popularity")],
    own_scores: list[Own] = [],
    training: Training = DEMO.training,
    evaluation: EvaluationOf = EvaluationSettings(),
    gates: Gates = GateSettings(),
) -> None:
    """Ingest, validate, split, build sequences, train, evaluate, compare, register.

    The defaults train on the demo log. Each parameter can be set under ``parameters:`` in a YAML file given
    as ``--config``; its settings class documents its keys.
    """
    choices = [model, *baselines]
    labels = [*(choice.label for choice in choices), *(own.label for own in own_scores)]
    require(len(set(labels)) == len(labels), "model, baselines and own_scores", labels, "labels that differ")
    own_versions = {own.label: _scores_version(own) for own in own_scores}
    log = LogConfig(
        name=name,
        source=source,
        engine=engine,
        suite=suite,
        validation=validation,
        split=split,
        sequences=sequences,
        training=training,
    )
    prepared = prepare(log)

    # They need no trained model, so they run first: a file that cannot be used costs no training.
    own_evaluations = [
        evaluate_own.with_options(substitutions={"model": own.label})(
            prepared.data, own.path, own.kind, own_versions[own.label], evaluation, id=f"evaluate_{own.label}"
        )
        for own in own_scores
    ]
    bundles, evaluations = [], []
    for choice in choices:
        artifact = {"model": choice.label}
        bundle = train.with_options(substitutions=artifact)(
            prepared.data, choice, training, id=f"train_{choice.label}"
        )
        bundles.append(bundle)
        evaluations.append(
            evaluate.with_options(substitutions=artifact)(
                bundle, prepared.data, evaluation, training.device, id=f"evaluate_{choice.label}"
            )
        )
    evaluations += own_evaluations
    comparison = compare(evaluations, labels)
    resolved = flat(
        source=source,
        engine=engine,
        validation=log.limits,
        split=split,
        sequences=sequences,
        model=model,
        baselines={choice.label: choice for choice in baselines},
        own_scores={own.label: own for own in own_scores},
        training=training,
        evaluation=evaluation,
        gates=gates,
    )
    origin = prepared.lineage | {f"scores of {label}": scores for label, scores in own_versions.items()}
    verdict = judge(
        name,
        labels,
        [*(choice.label for choice in baselines), *(own.label for own in own_scores if own.gate)],
        bundles,
        evaluations,
        comparison,
        prepared.validation,
        prepared.split_log,
        prepared.data,
        gates,
        training.device,
        resolved,
        origin,
    )
    register(
        labels,
        bundles[0],
        evaluations,
        comparison,
        prepared.validation,
        verdict,
        prepared.clicks,
        prepared.split_log,
        prepared.data,
        resolved,
        origin,
    )


def _scores_version(own: OwnScores) -> str:
    require(Path(own.path).is_file(), f"own_scores.{own.label}.path", own.path, "a Parquet file")
    return files_version({Path(own.path).name: Path(own.path)})
