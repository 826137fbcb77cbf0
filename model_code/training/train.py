"""From sequences to a trained model: build it, run the loop, pack the result."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import nn

from model_code.bundle import Bundle, write_bundle
from model_code.evaluation.metrics import auc, log_loss
from model_code.models.choice import ModelChoice
from model_code.models.table import build
from model_code.scoring import labels_like, predict, sigmoid
from model_code.sequences.batches import FitBatches, ResidentLog
from model_code.sequences.data import SequenceData
from model_code.training.device import resolve_device
from model_code.training.loop import Pass, Progress, Validation, fit
from model_code.training.settings import TrainingSettings


def train(
    choice: ModelChoice,
    data: SequenceData,
    settings: TrainingSettings,
    *,
    vocabulary: Path,
    out: Path,
    checkpoint: Path,
    run: str,
    report: Callable[[Progress], None],
) -> Bundle:
    """Train one model and write it as a bundle.

    Args:
        choice: which model.
        data: the prepared log.
        settings: how to train.
        vocabulary: the folder of the prepared log, whose vocabularies go into the bundle.
        out: the bundle's folder.
        checkpoint: see `model_code.training.loop.fit`; removed at the end.
        run: fingerprint of everything that the run depends on.
        report: called about twice a second with the progress.
    """
    device = resolve_device(settings.device)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    model = build(choice.name, choice.typed_settings, data.shape).to(device)
    resident = ResidentLog.of(data, device)
    groups = max(1, round(settings.batch_size / (1 + data.settings.negatives_per_positive)))
    batches = FitBatches(
        data,
        resident,
        groups_per_batch=groups,
        seed=settings.seed,
        unknown_rate=settings.unknown_rate,
        unknown_category_rate=settings.unknown_category_rate,
        samples_per_epoch=settings.samples_per_epoch,
    )

    def start_pass(epoch: int, batch: int) -> Pass:
        return Pass(batches.batches_per_epoch, batches.epoch(epoch, batch))

    def validate(model: nn.Module) -> Validation:
        logits = predict(model, data, resident, "validation", limit=settings.validation_groups)
        labels, scores = labels_like(logits).ravel(), sigmoid(logits).ravel()
        if not np.isfinite(scores).all():
            return Validation(math.nan, math.nan)
        return Validation(auc(labels, scores), log_loss(labels, scores))

    history = fit(model, start_pass, validate, settings, checkpoint=checkpoint, run=run, report=report)
    details = {
        "data": data.manifest,
        "training": {
            "settings": asdict(settings),
            "device": str(device),
            "threads": torch.get_num_threads(),
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "dropped_groups": batches.dropped,
        },
    }
    bundle = write_bundle(
        out,
        name=choice.name,
        settings=choice.typed_settings,
        model=model,
        shape=data.shape,
        vocabulary=vocabulary,
        history=history,
        details=details,
    )
    checkpoint.unlink(missing_ok=True)
    return bundle
