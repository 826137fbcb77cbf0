"""The reference of a registered model: what its own test part looked like. It travels in the bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from model_code.bundle import VOCABULARY, Bundle
from model_code.evaluation.scores import read_scores
from model_code.events.click_log import ClickLog
from model_code.monitoring.behaviors import Behaviors, count_behaviors
from model_code.monitoring.from_log import describe
from model_code.monitoring.observations import Observations, sample_users
from model_code.scoring import recode
from model_code.sequences.data import SequenceFolder
from model_code.sequences.logged_ids import LoggedIds
from model_code.sequences.vocabulary import Vocabulary

REFERENCE = "reference"  # folder in the bundle
MOST_ROWS = 500_000  # of whole users; some 5 MB, and more would make no limit sharper that matters
SEED = 0


@dataclass(frozen=True)
class Reference:
    """What windows are compared with."""

    observations: Observations
    behaviors: Behaviors | None  # None if the log has none

    def write(self, folder: Path) -> None:
        """Write into ``folder``, which is made; of more than `MOST_ROWS` rows, those of a sample of users."""
        folder.mkdir(parents=True)
        sample_users(self.observations, MOST_ROWS, SEED).write(folder / "observations.parquet")
        if self.behaviors is not None:
            self.behaviors.write(folder / "behaviors.json")

    @classmethod
    def read(cls, folder: Path) -> Reference:
        """Read what `write` wrote.

        Raises:
            ObservationsError: when it is not there, as in bundles registered without.
        """
        observations = Observations.read(folder / "observations.parquet")
        return cls(observations, Behaviors.read(folder / "behaviors.json"))


def reference_of(bundle: Bundle, sequences: SequenceFolder, scores: Path, clicks: ClickLog) -> Reference:
    """The reference of a model on the log that it was trained on.

    Args:
        bundle: the model.
        sequences: the prepared log.
        scores: the model's scores of its test part, of `model_code.evaluation.scores.SCHEMA`.
        clicks: the click log, for its behaviours.
    """
    data, logged = sequences.load(), LoggedIds.load(sequences)
    vocabulary = Vocabulary.load(bundle.path / VOCABULARY)
    seen = recode(data, logged, vocabulary, bundle.manifest["max_length"], torch.device("cpu"))
    score = read_scores(scores).score.reshape(len(data.parts["test"]), -1).astype(np.float32)
    end = clicks.manifest["time"]["last"] + 1
    observations = describe(data, logged, vocabulary, seen, score, end)
    return Reference(observations, count_behaviors(clicks.behaviors, observations.start, end))
