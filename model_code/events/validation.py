"""What validation found out about a click log, as plain data."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from model_code.files import Folder, read_json, write_json
from model_code.settings import parse

Severity = Literal["critical", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info")  # the worst first


@dataclass(frozen=True)
class Outcome:
    """One expectation and what was seen.

    Attributes:
        description: the expectation in plain words.
        type: its name in Great Expectations.
        table: the table that it looks at.
        column: the column, if it looks at one.
        severity: how bad a failure is.
        passed: false also when it could not be checked.
        expected: the limits, in words.
        observed: what was seen, in words; empty when it could not be checked.
        unexpected_count: rows that break it, where single rows can.
        unexpected_share: of the rows that it applies to.
        examples: some of those rows, whole.
        error: why it could not be checked.
    """

    description: str
    type: str
    table: str
    column: str | None
    severity: Severity
    passed: bool
    expected: str
    observed: str
    unexpected_count: int | None = None
    unexpected_share: float | None = None
    examples: tuple[dict[str, int | float | str | None], ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class ValidationResult:
    """All outcomes, in the order of the suite, and what was left out.

    Attributes:
        outcomes: one for each expectation that was checked.
        skipped: descriptions of optional expectations without their column in the log or their limit.
    """

    outcomes: tuple[Outcome, ...]
    skipped: tuple[str, ...] = ()

    @property
    def failed(self) -> list[Outcome]:
        """Failed expectations, the worst first."""
        return [outcome for severity in SEVERITIES for outcome in self._failed_at(severity)]

    @property
    def critical_failures(self) -> list[Outcome]:
        """Failed expectations that forbid training."""
        return self._failed_at("critical")

    @property
    def worst_failed_severity(self) -> Severity | None:
        """The severity of the worst failure; ``None`` if all passed."""
        return next((outcome.severity for outcome in self.failed), None)

    @property
    def failures(self) -> Counter[Severity]:
        """Failures by severity."""
        return Counter(outcome.severity for outcome in self.failed)

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> ValidationResult:
        """Read what `save` wrote.

        Raises:
            SettingsError: the file holds something else; names the keys.
        """
        return parse(cls, read_json(path), str(path))

    def _failed_at(self, severity: Severity) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.severity == severity and not outcome.passed]


class ValidationFolder(Folder):
    """A handle to what validation found, and to its report."""

    @property
    def result_file(self) -> Path:
        """All outcomes, as JSON."""
        return self.path / "result.json"

    @property
    def result(self) -> ValidationResult:
        """All outcomes."""
        return ValidationResult.load(self.result_file)

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / "validation.html"
