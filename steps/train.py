"""Sequences -> a trained model, as a bundle."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from zenml import ArtifactConfig, step
from zenml.enums import ArtifactType
from zenml.logger import get_logger

from model_code.bundle import Bundle
from model_code.models.choice import ModelChoice
from model_code.sequences.data import SequenceFolder
from model_code.training.job import Job
from model_code.training.launch import run as run_job
from model_code.training.settings import TrainingSettings
from steps.artifacts import FolderMaterializer, folder_hash, output_folder
from steps.caching import ROOT, cache_policy, code_version
from steps.measure import measured
from steps.progress import ProgressBar

logger = get_logger(__name__)

CHECKPOINTS = ROOT / "checkpoints"


version = partial(code_version, __name__)


@step(
    cache_policy=cache_policy(__name__),
    output_materializers=FolderMaterializer,
    substitutions={"model": "model"},
)
def train(
    sequences: SequenceFolder, choice: ModelChoice, training: TrainingSettings
) -> Annotated[Bundle, ArtifactConfig(name="bundle_{model}", artifact_type=ArtifactType.MODEL)]:
    """Train one model, going on from its checkpoint where an earlier run was stopped."""
    with measured() as notes, ProgressBar(choice.label) as bar:
        run = _run_id(sequences.path, choice, training)
        job = Job(
            choice=choice,
            training=training,
            data=str(sequences.path),
            out=str(output_folder()),
            checkpoint=str(CHECKPOINTS / f"{choice.label}-{run[:16]}.safetensors"),
            run=run,
        )
        bundle = run_job(job, bar)
        for record in bundle.history:
            logger.info("%s", _in_words(choice.label, record))
        notes.update(model=choice.label, **bundle.manifest["training"], history=bundle.history)
    return bundle


def _run_id(data: Path, choice: ModelChoice, training: TrainingSettings) -> str:
    """Fingerprint of everything that a checkpoint depends on."""
    digest = hashlib.sha256(folder_hash(data).encode())
    digest.update(json.dumps([asdict(choice), training.of_weights()], sort_keys=True).encode())
    digest.update(version().encode())
    return digest.hexdigest()


def _in_words(label: str, record: dict[str, Any]) -> str:
    return (
        f"{label}: epoch {record['epoch']}, loss {record['loss_total']:.4f}, "
        f"validation AUC {record['validation_auc']:.4f}, Log Loss {record['validation_log_loss']:.4f}, "
        f"{record['samples'] / record['seconds']:,.0f} samples/s"
    )
