"""What retraining has tried: so that it does not propose every night what was refused the day before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model_code.files import read_json, write_json


@dataclass(frozen=True)
class Attempts:
    """Outcomes by what a challenger was made of.

    Attributes:
        file: JSON; no part of the repository, as it says nothing of the champion.
    """

    file: Path

    def outcome(self, version: str) -> str | None:
        """What came of a challenger made of that data, code and configuration; None if none was."""
        return self._known.get(version)

    def remember(self, version: str, outcome: str) -> None:
        """Keep what came of one."""
        write_json(self.file, {**self._known, version: outcome})

    @property
    def _known(self) -> dict[str, str]:
        return read_json(self.file) if self.file.is_file() else {}
