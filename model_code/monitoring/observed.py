"""What a window was seen to hold: the hand-over from observing to judging."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from model_code.files import Folder, read_json, write_json
from model_code.monitoring.behaviors import Behaviors
from model_code.monitoring.observations import Observations
from model_code.monitoring.reference import Reference
from model_code.settings import parse


@dataclass(frozen=True)
class InputFacts:
    """What is known of the window's input before anything is compared.

    Attributes:
        critical_failures: critical expectations that it failed.
        quarantine_share: of its raw rows; None if it has no quarantine.
        remarks: what else was passed over, in words.
    """

    critical_failures: tuple[str, ...] = ()
    quarantine_share: float | None = None
    remarks: tuple[str, ...] = ()


class ObservedFolder(Folder):
    """A handle to a window's observations, and to the reference where that is not the version's own."""

    def write(
        self,
        window: Observations,
        behaviors: Behaviors | None,
        facts: InputFacts,
        reference: Reference | None,
    ) -> None:
        """Write into the folder, which is made."""
        self.path.mkdir(parents=True)
        window.write(self.path / "observations.parquet")
        if behaviors is not None:
            behaviors.write(self._behaviors)
        write_json(self._facts, asdict(facts))
        if reference is not None:
            reference.write(self._reference)

    @property
    def window(self) -> Observations:
        """The observations."""
        return Observations.read(self.path / "observations.parquet")

    @property
    def behaviors(self) -> Behaviors | None:
        """The behaviour mix; None if it is not known."""
        return Behaviors.read(self._behaviors)

    @property
    def facts(self) -> InputFacts:
        """What is known of the input."""
        return parse(InputFacts, read_json(self._facts), self._facts.name)

    @property
    def reference(self) -> Reference | None:
        """What to compare with; None for the version's own."""
        return Reference.read(self._reference) if self._reference.is_dir() else None

    @property
    def _behaviors(self) -> Path:
        return self.path / "behaviors.json"

    @property
    def _facts(self) -> Path:
        return self.path / "facts.json"

    @property
    def _reference(self) -> Path:
        return self.path / "reference"
