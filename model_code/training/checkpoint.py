"""A training run on disk: one safetensors file, replaced as a whole, from which a killed run goes on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from model_code.files import replacing
from model_code.training.optimizers import ModelOptimizer

Weights = dict[str, Tensor]


class CheckpointError(Exception):
    """The checkpoint is unreadable, or of another run; the message says what to do."""


@dataclass
class TrainingState:
    """Where a run stands, apart from its tensors.

    Attributes:
        epoch: the pass under way, from 0.
        batch: its next batch.
        step: optimizer steps done.
        samples: samples seen in them.
        best_auc: best validation AUC so far; ``None`` before the first validation.
        best_log_loss: Log Loss of the same validation.
        stale: validations since then.
        seconds: time spent in training steps, over all sessions of the run.
        history: one record a finished pass, as `model_code.training.loop` writes them.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    samples: int = 0
    best_auc: float | None = None
    best_log_loss: float = 0.0
    stale: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


def save(
    path: Path,
    run: str,
    state: TrainingState,
    model: nn.Module,
    optimizer: ModelOptimizer,
    best: Weights,
    sums: Tensor,
) -> None:
    """Write a checkpoint.

    Args:
        path: the file, replaced atomically.
        run: fingerprint of data, model and settings; only the same run may go on from the file.
        state: where the run stands.
        model: its weights and buffers are kept.
        optimizer: its state is kept.
        best: weights at the best validation so far; empty before the first.
        sums: loss sums of the pass under way.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in best.items()}
    tensors |= {f"optimizer.{name}": value for name, value in optimizer.tensors().items()}
    tensors["sums"] = sums
    on_disk = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with replacing(path) as temporary:
        save_file(on_disk, temporary, metadata={"run": run, "state": json.dumps(asdict(state))})


def load(
    path: Path, run: str, model: nn.Module, optimizer: ModelOptimizer
) -> tuple[TrainingState, Weights, Tensor]:
    """Put a checkpoint's weights and moments into ``model`` and ``optimizer``; return state, best, sums.

    Raises:
        CheckpointError: when the file is damaged or belongs to another run.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except Exception as error:
        raise CheckpointError(f"{path}: cannot be read ({error}); delete it to start anew") from error
    if metadata.get("run") != run:
        raise CheckpointError(
            f"{path}: belongs to a run with other data or settings; delete it to start anew"
        )
    parts: dict[str, Weights] = {"model": {}, "best": {}, "optimizer": {}}
    for name, value in tensors.items():
        kind, _, rest = name.partition(".")
        if kind in parts:
            parts[kind][rest] = value
    model.load_state_dict(parts["model"])
    state = TrainingState(**json.loads(metadata["state"]))
    optimizer.load(parts["optimizer"], state.step)
    return state, parts["best"], tensors["sums"]
