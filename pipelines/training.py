"""The training pipeline: from a raw click log to a judged and registered model."""

from __future__ import annotations

from typing import Annotated

from zenml import Model, pipeline

from model_code.evaluation.evaluate import EvaluationSettings
from model_code.evaluation.gates import GateSettings
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
from steps.compare import compare
from steps.evaluate import evaluate
from steps.judge import judge
from steps.lineage import lineage
from steps.register import register
from steps.train import train

Source = Annotated[SourceSettings, from_yaml(SourceSettings, "source")]
Engine = Annotated[EngineSettings, from_yaml(EngineSettings, "engine")]
Limits = Annotated[ValidationSettings, from_yaml(ValidationSettings, "validation")]
Split = Annotated[SplitSettings, from_yaml(SplitSettings, "split")]
Sequences = Annotated[SequenceSettings, from_yaml(SequenceSettings, "sequences")]
Choice = Annotated[ModelChoice, from_yaml(ModelChoice, "model")]
Baseline = Annotated[ModelChoice, from_yaml(ModelChoice, "baselines")]
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
    training: Training = DEMO.training,
    evaluation: EvaluationOf = EvaluationSettings(),
    gates: Gates = GateSettings(),
) -> None:
    """Ingest, validate, split, build sequences, train, evaluate, compare, register.

    The defaults train on the demo log. Each parameter can be set under ``parameters:`` in a YAML file given
    as ``--config``; its settings class documents its keys.
    """
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

    choices = [model, *baselines]
    labels = [choice.label for choice in choices]
    require(len(set(labels)) == len(labels), "model and baselines", labels, "labels that differ")
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
    comparison = compare(evaluations, labels)
    resolved = flat(
        source=source,
        engine=engine,
        validation=log.limits,
        split=split,
        sequences=sequences,
        model=model,
        baselines={choice.label: choice for choice in baselines},
        training=training,
        evaluation=evaluation,
        gates=gates,
    )
    origin = lineage(source.path, prepared.raw_version)
    verdict = judge(
        name,
        labels,
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
        prepared.split_log,
        prepared.data,
        resolved,
        origin,
    )
