"""What a training run is to do, in one file that several processes can read."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from model_code.files import read_json, write_json
from model_code.models.choice import ModelChoice
from model_code.settings import parse, settings
from model_code.training.settings import TrainingSettings


@settings
class Job:
    """One training run.

    Attributes:
        choice: which model.
        training: how to train it.
        data: folder of the prepared log, whose vocabularies go into the bundle.
        out: folder of the bundle to write.
        checkpoint: file from which a run that was stopped goes on; removed at the end.
        run: fingerprint of everything that the run depends on.
    """

    choice: ModelChoice
    training: TrainingSettings
    data: str
    out: str
    checkpoint: str
    run: str

    def write(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> Job:
        """Read what `write` wrote, or what a person did."""
        return parse(cls, read_json(path), path.name)
