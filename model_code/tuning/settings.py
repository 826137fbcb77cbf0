"""What is searched, and how much of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from model_code.models.choice import ModelChoice
from model_code.settings import require, settings
from model_code.training.settings import TrainingSettings


@settings
class SearchSettings:
    """The search for one model.

    Attributes:
        model: the model, with the settings that the search starts from; its first trial is these.
        space: what to try, by dotted name (``model.threshold``, ``training.learning_rate``): a list of
            choices, or ``low``, ``high`` and ``log`` of a range. See `model_code.tuning.space`.
    """

    model: ModelChoice
    space: Mapping[str, Any]

    def __post_init__(self) -> None:
        require(len(self.space) > 0, f"{self.model.label}.space", dict(self.space), "one or more settings")


@settings
class TuningSettings:
    """What every model of a run gets alike.

    Attributes:
        trials: for each model, the one with the settings that it starts from included. A search that is run
            again with more goes on where it ended.
        epochs: most passes of a trial; ``None`` takes the log's own.
        samples_per_epoch: positives a pass; ``None`` takes the log's own.
        seed: of the sampler.
        training_seed: of the first trial's training; each further trial takes the next one. Results should be
            reported with other seeds.
        startup_trials: trials drawn at random before the sampler learns from what it has seen.
        pruning: stop a trial whose best AUC after some pass is below the median of the others after theirs.
            It saves time, and costs the trials that start slowly.
    """

    trials: int = 20
    epochs: int | None = None
    samples_per_epoch: int | None = None
    seed: int = 1
    training_seed: int = 1000
    startup_trials: int = 8
    pruning: bool = False

    def __post_init__(self) -> None:
        for name in ("trials", "startup_trials"):
            value = getattr(self, name)
            require(value > 0, f"tuning.{name}", value, "a positive number")
        for name in ("epochs", "samples_per_epoch"):
            value = getattr(self, name)
            require(value is None or value > 0, f"tuning.{name}", value, "a positive number or null")
        for name in ("seed", "training_seed"):
            value = getattr(self, name)
            require(0 <= value < 2**31, f"tuning.{name}", value, "a number from 0 to 2**31 - 1")

    def budget(self, training: TrainingSettings) -> TrainingSettings:
        """A log's training settings with the passes of a trial."""
        return replace(
            training,
            epochs=self.epochs or training.epochs,
            samples_per_epoch=self.samples_per_epoch or training.samples_per_epoch,
        )

    def trial_seed(self, number: int) -> int:
        """Seed of the training of a trial, counted from 0."""
        return self.training_seed + number
