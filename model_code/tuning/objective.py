"""What a trial measures: a training's AUC on the validation part. The test part is not read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from model_code.models.choice import ModelChoice
from model_code.settings import SettingsError
from model_code.training.job import Job
from model_code.training.launch import run as run_job
from model_code.training.loop import Progress, TrainingDivergedError
from model_code.training.settings import TrainingSettings
from model_code.tuning.search import Attempt, Measured, Told, TrialFailedError, TrialPrunedError
from model_code.tuning.space import applied


class TrainingObjective:
    """Trains with the settings of each attempt, going on from its checkpoint where it was stopped."""

    def __init__(
        self,
        choice: ModelChoice,
        training: TrainingSettings,
        data: Path,
        folder: Path,
        run: str,
        report: Callable[[Progress], None],
    ) -> None:
        """Keep what all trials share.

        Args:
            choice: the model, with the settings that do not vary.
            training: the training settings that do not vary; of them the passes are the budget.
            data: folder of the prepared log.
            folder: of the search, for the checkpoint of the trial under way.
            run: fingerprint of all of it.
            report: called about twice a second with the progress of the training.
        """
        self.choice, self.training, self.data = choice, training, data
        self.folder, self.run, self.report = folder, run, report

    def __call__(self, attempt: Attempt, told: Told) -> Measured:
        """Train, and return what each pass came to on validation.

        Raises:
            TrialFailedError: when the model refuses the combination of settings, or training diverges.
            TrialPrunedError: when ``told`` does not want to go on.
        """
        job = self._job(attempt)

        def report(progress: Progress) -> None:
            self.report(progress)
            if progress.best_auc is not None:  # of the passes before the one under way
                told(progress.epoch, progress.best_auc)

        try:
            history = run_job(job, report).history
        except (TrainingDivergedError, TrialPrunedError) as error:
            Path(job.checkpoint).unlink(missing_ok=True)
            if isinstance(error, TrialPrunedError):
                raise
            raise TrialFailedError(str(error)) from None
        return Measured(
            tuple(record["validation_auc"] for record in history),
            tuple(record["validation_log_loss"] for record in history),
            history[-1]["seconds"],
        )

    def _job(self, attempt: Attempt) -> Job:
        try:
            choice, training = applied(self.choice, self.training, attempt.settings)
        except SettingsError as error:
            raise TrialFailedError(str(error)) from None
        this = json.dumps([self.run, attempt], sort_keys=True)
        return Job(
            choice=choice,
            training=replace(training, seed=attempt.seed),
            data=str(self.data),
            out=str(self.folder / "bundle"),  # each trial's replaces the one before
            checkpoint=str(self.folder / f"trial-{attempt.number}.safetensors"),
            run=hashlib.sha256(this.encode()).hexdigest(),
        )
