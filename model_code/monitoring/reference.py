"""The reference of a registered model: what its own test part looked like. It travels in the bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model_code.monitoring.behaviors import Behaviors
from model_code.monitoring.observations import Observations, sample_users

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
