"""How a model is trained."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from model_code.settings import require, settings


@settings
class TrainingSettings:
    """Settings of one training run.

    Attributes:
        learning_rate: Adam's (the paper's 1e-3).
        batch_size: samples a step, positives and negatives together; rounded to whole groups.
        row_updates_from: of embedding tables with this many rows and more, a step updates only the rows that
            it looks up (`model_code.training.row_adam`); a pass over a smaller table costs less than finding
            them. ``None`` updates all tables as a whole. All of it is Adam, to the same weights up to
            rounding.
        epochs: most passes over the fit part.
        samples_per_epoch: positives a pass, for logs too large to wait for a whole one; ``None`` takes all.
            Each epoch then takes a fresh seeded subset.
        patience: passes without a better validation AUC before training stops.
        validation_groups: validate on a seeded subset of this many groups; ``None`` takes all.
        unknown_rate: share of each group's distinct items (and of users) that are shown as unknown, so that
            the vectors of unknown things are trained.
        unknown_category_rate: the same for categories; new ones are rarer than new items.
        embedding_weight_decay: weight in the loss of half the squared lengths of the vectors that a group
            looks up (`model_code.training.penalty`): an L2 penalty, not a decay apart from Adam, and none on
            vectors that a step does not read.
        seed: of initial weights, order, negatives and dropout.
        device: "auto" takes a GPU where there is one; else a torch device name.
        precision: "float32", or "tf32" for faster and coarser matrix products on a GPU that has them.
        processes: how many share each batch, on this machine; a GPU for each where there are GPUs. The result
            is that of one process up to rounding. Several machines: see `model_code.training.worker`.
        threads: CPU threads of each process; ``None`` leaves torch's own choice.
        checkpoint_seconds: most seconds of work that a killed run loses.
    """

    learning_rate: float = 1e-3
    batch_size: int = 256
    row_updates_from: int | None = 10_000
    epochs: int = 10
    samples_per_epoch: int | None = None
    patience: int = 2
    validation_groups: int | None = None
    unknown_rate: float = 0.1
    unknown_category_rate: float = 0.01
    embedding_weight_decay: float = 0.0
    seed: int = 1
    device: str = "auto"
    precision: Literal["float32", "tf32"] = "float32"
    processes: int = 1
    threads: int | None = None
    checkpoint_seconds: float = 60.0

    def __post_init__(self) -> None:
        require(self.learning_rate > 0, "training.learning_rate", self.learning_rate, "positive")
        for name in ("batch_size", "epochs", "patience", "processes"):
            value = getattr(self, name)
            require(value > 0, f"training.{name}", value, "a positive number")
        known = self.precision in ("float32", "tf32")
        require(known, "training.precision", self.precision, "float32 or tf32")
        for name in ("samples_per_epoch", "validation_groups", "threads", "row_updates_from"):
            value = getattr(self, name)
            require(value is None or value > 0, f"training.{name}", value, "a positive number or null")
        require(0 <= self.seed < 2**63, "training.seed", self.seed, "a number from 0 to 2**63 - 1")
        for name in ("unknown_rate", "unknown_category_rate"):
            value = getattr(self, name)
            require(0 <= value < 1, f"training.{name}", value, "in [0, 1)")
        for name in ("embedding_weight_decay", "checkpoint_seconds"):
            value = getattr(self, name)
            require(value >= 0, f"training.{name}", value, "0 or more")

    def of_weights(self) -> dict[str, Any]:
        """The settings that the trained weights depend on, for a run's fingerprint."""
        settings_ = asdict(self)
        for name in ("checkpoint_seconds", "processes"):
            del settings_[name]
        return settings_
