"""Scores of a model from elsewhere and the test part -> its evaluation."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

from zenml import ArtifactConfig, step

from model_code.evaluation.evaluate import EvaluationFolder, EvaluationSettings
from model_code.evaluation.evaluate import evaluate as evaluate_scores
from model_code.evaluation.own_scores import Kind, take_scores
from model_code.sequences.data import SequenceFolder
from steps.artifacts import FolderMaterializer, output_folder
from steps.caching import cache_policy, code_version
from steps.measure import measured

version = partial(code_version, __name__)


@step(
    cache_policy=cache_policy(__name__),
    output_materializers=FolderMaterializer,
    substitutions={"model": "model"},
)
def evaluate_own(
    sequences: SequenceFolder, path: str, kind: Kind, scores_version: str, settings: EvaluationSettings
) -> Annotated[EvaluationFolder, ArtifactConfig(name="evaluation_{model}")]:
    """Measure a model from elsewhere by its scores of the test samples.

    Args:
        sequences: the prepared log.
        path: the file of scores.
        kind: what a score is.
        scores_version: version of the file; a new one makes the step run again.
        settings: of the evaluation.
    """
    with measured() as notes:
        folder = EvaluationFolder(output_folder())
        folder.path.mkdir(parents=True)
        take_scores(Path(path), kind, sequences, "test", folder.scores)
        evaluation = evaluate_scores(folder.scores, settings)
        evaluation.write(folder.file)
        notes.update(asdict(evaluation.metrics), scores_version=scores_version)
    return folder
