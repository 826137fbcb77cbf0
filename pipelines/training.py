"""The training pipeline: from a raw click log to a judged and registered model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from zenml import Model, pipeline

from model_code.evaluation.evaluate import EvaluationSettings
from model_code.evaluation.gates import GateSettings
from model_code.evaluation.own_scores import OwnScores
from model_code.events.engine import EngineSettings
from model_code.events.source import ColumnSettings, SourceSettings, TimeSettings, WindowSettings
from model_code.events.split import SplitSettings
from model_code.events.validation_settings import ValidationSettings
from model_code.models.choice import ModelChoice
from model_code.sequences.settings import SequenceSettings
from model_code.settings import require
from model_code.training.settings import TrainingSettings
from pipelines.parameters import flat, from_yaml
from steps.build_sequences import build_sequences
from steps.caching import ROOT, files_version, raw_version
from steps.compare import compare
from steps.evaluate import evaluate
from steps.evaluate_own import evaluate_own
from steps.ingest import ingest
from steps.judge import judge
from steps.lineage import lineage
from steps.register import register
from steps.require_valid import require_valid
from steps.split import split as split_step
from steps.train import train
from steps.validate import validate

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

DEMO = SourceSettings(
    path="data/clicks",
    columns=ColumnSettings(
        user_id="user_id",
        item_id="item_id",
        category_id="category_id",
        behavior="behavior",
        timestamp="timestamp",
    ),
    time=TimeSettings(unit="ms"),
    behaviors_known=("pv", "cart", "fav", "buy"),
    behaviors_kept=("pv",),
    window=WindowSettings(start="2024-03-04T00:00:00+00:00", end="2024-03-18T00:00:00+00:00"),
    ids="integer",
)


@pipeline(model=Model(name="deminet-demo"))
def training_pipeline(
    name: str = "the demo click log",
    source: Source = DEMO,
    engine: Engine = EngineSettings(),
    suite: str = "configs/expectations/click_log.yaml",
    validation: Limits = ValidationSettings(),
    split: Split = SplitSettings(),
    sequences: Sequences = SequenceSettings(),
    model: Choice = ModelChoice(name="deminet"),
    baselines: list[Baseline] = [ModelChoice(name="din"), ModelChoice(name="popularity")],
    own_scores: list[Own] = [],
    training: Training = TrainingSettings(),
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
    require((ROOT / suite).is_file(), "suite", suite, "a YAML file in the project")
    version = raw_version(source)
    log = ingest(source, engine, version)
    table = source.as_table()
    limits = replace(
        validation, behaviors=validation.behaviors or table.behaviors_kept or table.behaviors_known
    )
    validation_result = validate(log, name, suite, files_version([ROOT / suite]), limits, engine)
    require_valid(validation_result)
    split_log = split_step(log, split, engine, after="require_valid")
    data = build_sequences(split_log, sequences, engine)

    # They need no trained model, so they run first: a file that cannot be used costs no training.
    own_evaluations = [
        evaluate_own.with_options(substitutions={"model": own.label})(
            data, own.path, own.kind, own_versions[own.label], evaluation, id=f"evaluate_{own.label}"
        )
        for own in own_scores
    ]
    bundles, evaluations = [], []
    for choice in choices:
        artifact = {"model": choice.label}
        bundle = train.with_options(substitutions=artifact)(
            data, choice, training, id=f"train_{choice.label}"
        )
        bundles.append(bundle)
        evaluations.append(
            evaluate.with_options(substitutions=artifact)(
                bundle, data, evaluation, training.device, id=f"evaluate_{choice.label}"
            )
        )
    evaluations += own_evaluations
    comparison = compare(evaluations, labels)
    resolved = flat(
        source=source,
        engine=engine,
        validation=limits,
        split=split,
        sequences=sequences,
        model=model,
        baselines={choice.label: choice for choice in baselines},
        own_scores={own.label: own for own in own_scores},
        training=training,
        evaluation=evaluation,
        gates=gates,
    )
    origin = lineage(source.path, version)
    origin |= {f"scores of {label}": scores for label, scores in own_versions.items()}
    verdict = judge(
        name,
        labels,
        [*(choice.label for choice in baselines), *(own.label for own in own_scores if own.gate)],
        bundles,
        evaluations,
        comparison,
        validation_result,
        split_log,
        data,
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
        validation_result,
        verdict,
        split_log,
        data,
        resolved,
        origin,
    )


def _scores_version(own: OwnScores) -> str:
    require(Path(own.path).is_file(), f"own_scores.{own.label}.path", own.path, "a Parquet file")
    return files_version([Path(own.path)])
