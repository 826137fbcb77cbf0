"""A trained model and the test part -> its evaluation."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Annotated

from zenml import ArtifactConfig, step

from model_code.bundle import Bundle
from model_code.evaluation.evaluate import EvaluationFolder, EvaluationSettings
from model_code.evaluation.evaluate import evaluate as evaluate_scores
from model_code.scoring import score_part
from model_code.sequences.batches import ResidentLog
from model_code.sequences.data import SequenceFolder
from model_code.training.device import resolve_device
from steps.artifacts import FolderMaterializer, output_folder
from steps.caching import cache_policy, code_version
from steps.measure import measured

version = partial(code_version, __name__)


@step(
    cache_policy=cache_policy(__name__),
    output_materializers=FolderMaterializer,
    substitutions={"model": "model"},
)
def evaluate(
    bundle: Bundle, sequences: SequenceFolder, settings: EvaluationSettings, device: str
) -> Annotated[EvaluationFolder, ArtifactConfig(name="evaluation_{model}")]:
    """Score every test sample and measure the model on them."""
    with measured() as notes:
        folder = EvaluationFolder(output_folder())
        folder.path.mkdir(parents=True)
        data, torch_device = sequences.load(), resolve_device(device)
        model = bundle.load_model(torch_device)
        score_part(model, data, ResidentLog.of(data, torch_device), "test", folder.scores)
        evaluation = evaluate_scores(folder.scores, settings)
        evaluation.write(folder.file)
        notes.update(asdict(evaluation.metrics))
    return folder
