"""The training loop: Adam, early stopping on validation AUC, resumable at any step.

Several processes (`model_code.replicas`) train as one: each computes its shard of every batch, and the result
is that of one process. Process 0 reports and saves.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from model_code import replicas
from model_code.groups import Group
from model_code.training import checkpoint as checkpoints
from model_code.training.checkpoint import TrainingState, Weights
from model_code.training.interrupt import Interrupts, deferred_interrupts
from model_code.training.optimizers import ModelOptimizer
from model_code.training.settings import TrainingSettings
from model_code.training.step import TrainingStep

SAME_AUC = 1e-4  # a difference that says nothing
REPORT_SECONDS = 0.5  # reading a loss waits for the device, so it is read by the clock, not by the step
AGREE_STEPS = 16  # several processes agree on stopping and saving every so many steps


class TrainingDivergedError(Exception):
    """The loss is no longer finite; the message says since when and what to change."""


class Validation(NamedTuple):
    """Quality on the validation part."""

    auc: float
    log_loss: float


class Progress(NamedTuple):
    """What a progress bar shows."""

    epoch: int  # from 0
    epochs: int
    first_batch: int  # batch at which this process took up the epoch
    batch: int  # batches done in this epoch
    batches: int
    samples: int  # samples done in this epoch, by this process
    seconds: float  # training time they took
    loss: float  # mean over the epoch so far
    best_auc: float | None


class Pass(NamedTuple):
    """One pass over the fit part, as the batch source hands it out."""

    batches: int
    groups: Iterator[Group]


def is_better(validation: Validation, best: Validation) -> bool:
    """Whether AUC rose; where it did not move beyond rounding, whether Log Loss fell."""
    if abs(validation.auc - best.auc) < SAME_AUC:
        return validation.log_loss < best.log_loss
    return validation.auc > best.auc


def kept_pass(history: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The record of the pass whose weights `fit` keeps, of the one or more that it returned."""
    kept = history[0]
    for record in history[1:]:
        quality, best = (
            Validation(each["validation_auc"], each["validation_log_loss"]) for each in (record, kept)
        )
        if is_better(quality, best):
            kept = record
    return kept


class Fit:
    """One run of `fit`: what the loop shares between its parts."""

    def __init__(
        self,
        model: nn.Module,
        settings: TrainingSettings,
        checkpoint: Path,
        run: str,
        report: Callable[[Progress], None],
    ) -> None:
        self.model, self.settings, self.report = model, settings, report
        self.checkpoint, self.run = checkpoint, run
        self.optimizer = ModelOptimizer(model, settings)
        self.train_step = TrainingStep(model, self.optimizer, settings)
        self.state = TrainingState()
        self.best: Weights = {}
        if checkpoint.exists():
            self.state, self.best, sums = checkpoints.load(checkpoint, run, model, self.optimizer)
            self.train_step.sums.copy_(sums)

    @property
    def finished(self) -> bool:
        """Whether early stopping or the number of epochs has ended the run."""
        return self.state.stale >= self.settings.patience or self.state.epoch >= self.settings.epochs

    def losses(self, sums: Tensor) -> dict[str, float]:
        """Mean losses of a pass from their sums. Waits for the device.

        Raises:
            TrainingDivergedError: when one is not finite.
        """
        *totals, steps = sums.tolist()
        means = {
            name: value / max(steps, 1) for name, value in zip(self.train_step.names, totals, strict=True)
        }
        if bad := [name for name, value in means.items() if not math.isfinite(value)]:
            raise self.diverged(f"the loss ({', '.join(bad)}) is")
        return means

    def diverged(self, what: str) -> TrainingDivergedError:
        """The error for ``what`` is no longer finite."""
        return TrainingDivergedError(
            f"{what} no longer finite in epoch {self.state.epoch + 1}, by step {self.state.step}; "
            f"lower training.learning_rate (now {self.settings.learning_rate:g})"
        )

    def save(self) -> None:
        """Write the checkpoint, unless the losses are no longer finite."""
        sums = replicas.mean(self.train_step.sums)
        self.losses(sums)
        if replicas.rank() == 0:
            checkpoints.save(
                self.checkpoint, self.run, self.state, self.model, self.optimizer, self.best, sums
            )

    def run_epoch(self, epoch_pass: Pass, interrupts: Interrupts) -> None:
        """Train on what is left of a pass; save by the clock and when interrupted.

        Raises:
            KeyboardInterrupt: after saving, when the user asked to stop.
        """
        self.model.train()
        began = reported = saved = now = time.monotonic()
        samples_before, first_batch = self.state.samples, self.state.batch
        for group in epoch_pass.groups:
            self.train_step(group, self.state.step + 1)
            self.state.step += 1
            self.state.batch += 1
            self.state.samples += group.candidate_item.numel()
            now = time.monotonic()
            if now - reported >= REPORT_SECONDS or self.state.batch == epoch_pass.batches:
                self.report(self.progress(epoch_pass, first_batch, samples_before, now - began))
                reported = now
            # Asked once, so that no wish arrives between saving and stopping.
            stop, due = self.agree(bool(interrupts), now - saved >= self.settings.checkpoint_seconds)
            if stop or due:
                self.state.seconds += now - saved
                self.save()
                saved = now
            self.stop_if(stop)
        self.state.seconds += now - saved

    def agree(self, stop: bool, due: bool) -> tuple[bool, bool]:
        """Whether any process wants to stop, and whether process 0 wants to save."""
        if replicas.count() > 1 and self.state.step % AGREE_STEPS:
            return False, False
        stop, due = replicas.any_of(stop, due and replicas.rank() == 0)
        return stop, due

    def progress(self, epoch_pass: Pass, first_batch: int, samples_before: int, seconds: float) -> Progress:
        """Where the pass stands. Waits for the device."""
        return Progress(
            epoch=self.state.epoch,
            epochs=self.settings.epochs,
            first_batch=first_batch,
            batch=self.state.batch,
            batches=epoch_pass.batches,
            samples=self.state.samples - samples_before,
            seconds=seconds,
            loss=self.losses(self.train_step.sums)["total"],
            best_auc=self.state.best_auc,
        )

    def stop_if(self, asked: bool) -> None:
        """Raise `KeyboardInterrupt` if the user asked to stop; called right after a checkpoint."""
        if asked:
            raise KeyboardInterrupt(f"training stopped; run again to go on from {self.checkpoint}")

    def end_epoch(self, validation: Validation) -> None:
        """Note a finished pass, keep the weights if they are the best, move on to the next."""
        if not math.isfinite(validation.log_loss):
            raise self.diverged("the validation loss is")
        state = self.state
        losses = self.losses(replicas.mean(self.train_step.sums))
        record: dict[str, Any] = {
            "epoch": state.epoch + 1,
            "step": state.step,
            "samples": state.samples,
            "seconds": state.seconds,
            **{f"loss_{name}": value for name, value in losses.items()},
            "validation_auc": validation.auc,
            "validation_log_loss": validation.log_loss,
        }
        state.history.append(record)
        if state.best_auc is None or is_better(validation, Validation(state.best_auc, state.best_log_loss)):
            state.best_auc, state.best_log_loss, state.stale = validation.auc, validation.log_loss, 0
            self.best = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        else:
            state.stale += 1
        state.epoch, state.batch = state.epoch + 1, 0
        self.train_step.sums.zero_()
        self.save()


def fit(
    model: nn.Module,
    start_pass: Callable[[int, int], Pass],
    validate: Callable[[nn.Module], Validation],
    settings: TrainingSettings,
    *,
    checkpoint: Path,
    run: str,
    report: Callable[[Progress], None],
) -> list[dict[str, Any]]:
    """Train ``model`` in place and leave it with its best weights.

    Args:
        model: on its device; offers ``loss_weights`` and returns `Output`.
        start_pass: of epoch and first batch: the batches of that pass from there on.
        validate: of the model: its quality on the validation part.
        settings: see `TrainingSettings`.
        checkpoint: a file; where it exists, the run goes on from it, to the same weights (on the same
            device and number of threads) as if it had never stopped. The caller removes it.
        run: fingerprint of everything that the run depends on, checked against the checkpoint's.
        report: called about twice a second.

    Returns:
        One record a pass: epoch, step, samples, seconds, mean losses, validation AUC and Log Loss.

    Raises:
        TrainingDivergedError: when the loss is not finite.
        KeyboardInterrupt: on Ctrl-C, after the step under way and a checkpoint.
        model_code.training.checkpoint.CheckpointError: for a checkpoint that is damaged or another run's.
    """
    this = Fit(model, settings, checkpoint, run, report)
    with deferred_interrupts() as interrupts:
        while not this.finished:
            this.run_epoch(start_pass(this.state.epoch, this.state.batch), interrupts)
            this.losses(this.train_step.sums)
            this.optimizer.flush()
            this.end_epoch(validate(model))
            this.stop_if(*replicas.any_of(bool(interrupts)))
    this.optimizer.close()
    model.load_state_dict(this.best)
    return this.state.history
