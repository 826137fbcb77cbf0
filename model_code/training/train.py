"""From sequences to a trained model: build it, run the loop, pack the result."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import nn

from model_code import replicas
from model_code.bundle import Bundle, write_bundle
from model_code.evaluation.metrics import auc, log_loss
from model_code.models.table import build
from model_code.scoring import labels_like, predict, sigmoid
from model_code.sequences.batches import FitBatches, ResidentLog
from model_code.sequences.data import SequenceData
from model_code.training.device import processor_name, resolve_device
from model_code.training.heap import keep_freed_memory
from model_code.training.job import Job
from model_code.training.loop import Pass, Progress, Validation, fit
from model_code.training.settings import TrainingSettings


def train(job: Job, report: Callable[[Progress], None]) -> Bundle:
    """Train one model and write it as a bundle.

    Under `model_code.training.worker` this is one of several processes that train the model together;
    process 0 writes the bundle.

    Args:
        job: what to do.
        report: called about twice a second with the progress.
    """
    choice, settings = job.choice, job.training
    data = SequenceData.load(Path(job.data))
    device = resolve_device(settings.device)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    if settings.precision == "tf32":
        torch.set_float32_matmul_precision("high")
    keep_freed_memory()
    torch.manual_seed(settings.seed)
    model = build(choice.name, choice.typed_settings, data.shape).to(device)
    resident = ResidentLog.of(data, device)
    batches = _fit_batches(data, resident, settings)
    history = fit(
        model,
        lambda epoch, batch: Pass(batches.batches_per_epoch, batches.epoch(epoch, batch)),
        lambda model: _validate(model, data, resident, settings.validation_groups),
        settings,
        checkpoint=Path(job.checkpoint),
        run=job.run,
        report=report,
    )
    summary = {
        "settings": asdict(settings),
        "device": str(device),
        "processes": replicas.count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "processor": processor_name(),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    if replicas.rank() > 0:
        return Bundle(Path(job.out))
    bundle = write_bundle(
        Path(job.out),
        name=choice.name,
        settings=choice.typed_settings,
        model=model,
        shape=data.shape,
        vocabulary=Path(job.data),
        history=history,
        details={"data": data.manifest, "training": summary},
    )
    Path(job.checkpoint).unlink(missing_ok=True)
    return bundle


def _fit_batches(data: SequenceData, resident: ResidentLog, settings: TrainingSettings) -> FitBatches:
    return FitBatches(
        data,
        resident,
        groups_per_batch=max(1, round(settings.batch_size / (1 + data.settings.negatives_per_positive))),
        seed=settings.seed,
        unknown_rate=settings.unknown_rate,
        unknown_category_rate=settings.unknown_category_rate,
        samples_per_epoch=settings.samples_per_epoch,
    )


def _validate(model: nn.Module, data: SequenceData, resident: ResidentLog, groups: int | None) -> Validation:
    return replicas.of_first(lambda: _measure(model, data, resident, groups))


def _measure(model: nn.Module, data: SequenceData, resident: ResidentLog, groups: int | None) -> Validation:
    logits = predict(model, data, resident, "validation", limit=groups)
    labels, scores = labels_like(logits).ravel(), sigmoid(logits).ravel()
    if not np.isfinite(scores).all():
        return Validation(math.nan, math.nan)
    return Validation(auc(labels, scores), log_loss(labels, scores))
