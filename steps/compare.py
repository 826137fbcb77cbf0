"""Evaluations -> the main model's paired differences to the others."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Annotated

from zenml import step

from model_code.evaluation.comparison import ComparisonFolder
from model_code.evaluation.comparison import compare as compare_models
from model_code.evaluation.evaluate import EvaluationFolder
from steps.artifacts import FolderMaterializer, output_folder
from steps.caching import cache_policy, code_version
from steps.measure import measured

version = partial(code_version, __name__)


@step(cache_policy=cache_policy(__name__), output_materializers=FolderMaterializer)
def compare(
    evaluations: list[EvaluationFolder], labels: list[str]
) -> Annotated[ComparisonFolder, "comparison"]:
    """Compare the first model with each other one on the same samples.

    Args:
        evaluations: of all models, the main one first.
        labels: the models' labels, in the same order.
    """
    with measured() as notes:
        folder = ComparisonFolder(output_folder())
        folder.path.mkdir(parents=True)
        by_label = dict(zip(labels, evaluations, strict=True))
        comparison = compare_models(
            {label: item.evaluation for label, item in by_label.items()},
            {label: item.scores for label, item in by_label.items()},
            labels[0],
        )
        comparison.write(folder.file)
        notes.update({label: asdict(values) for label, values in comparison.differences.items()})
    return folder
