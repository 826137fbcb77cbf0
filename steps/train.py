"""Sequences -> a trained model, as a bundle."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

from tqdm import tqdm
from zenml import ArtifactConfig, step
from zenml.enums import ArtifactType

from model_code.bundle import Bundle
from model_code.models.choice import ModelChoice
from model_code.training.loop import Progress
from model_code.training.settings import TrainingSettings
from model_code.training.train import train as train_model
from steps.artifacts import FolderMaterializer, SequenceFolder, folder_hash, output_folder
from steps.caching import ROOT, cache_policy, code_version
from steps.measure import measured

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
        data = sequences.load()
        run = _run_id(sequences.path, choice, training)
        checkpoint = CHECKPOINTS / f"{choice.label}-{run[:16]}.safetensors"
        bundle = train_model(
            choice,
            data,
            training,
            vocabulary=sequences.path / "vocabulary",
            out=output_folder(),
            checkpoint=checkpoint,
            run=run,
            report=bar,
        )
        notes.update(model=choice.label, **bundle.manifest["training"], history=bundle.history)
    return bundle


def _run_id(data: Path, choice: ModelChoice, training: TrainingSettings) -> str:
    """Fingerprint of everything that a checkpoint depends on."""
    digest = hashlib.sha256(folder_hash(data).encode())
    digest.update(json.dumps([asdict(choice), asdict(training)], sort_keys=True).encode())
    digest.update(version().encode())
    return digest.hexdigest()


class ProgressBar:
    """One bar a pass: loss, best validation AUC so far, samples a second and the time left."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._bar: tqdm | None = None
        self._epoch = -1

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, progress: Progress) -> None:
        """Show where training stands."""
        if self._bar is None or progress.epoch != self._epoch:
            self.__exit__()
            title = f"{self._label}: epoch {progress.epoch + 1}/{progress.epochs}"
            self._bar = tqdm(total=progress.batches, desc=title, unit="batch", mininterval=0, initial=0)
            self._epoch = progress.epoch
        rate = progress.samples / max(progress.seconds, 1e-9)
        best = "" if progress.best_auc is None else f"{progress.best_auc:.4f}"
        self._bar.set_postfix(
            {"loss": f"{progress.loss:.4f}", "samples/s": f"{rate:,.0f}", "best AUC": best or "-"},
            refresh=False,
        )
        self._bar.update(progress.batch - self._bar.n)
