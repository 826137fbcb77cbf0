"""What earlier windows said: one line of JSON a window, in a file that goes on from run to run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model_code.files import replacing
from model_code.monitoring.compare import Comparison
from model_code.monitoring.verdict import Status
from model_code.settings import SettingsError, parse


@dataclass(frozen=True)
class WindowRecord:
    """One window in the history.

    Attributes:
        version: of the model.
        source: "log" or "predictions".
        window_start: ms since 1970 UTC.
        window_end: ms, exclusive.
        status: the verdict.
        rows: of the window.
        distances: value of each drift, by name.
        auc: None until labels are there.
        auc_low: of its interval.
        auc_high: of its interval.
        reference_auc: of the version's own test part.
        log_loss: None until labels are there.
        reasons: in words.
    """

    version: str
    source: str
    window_start: int
    window_end: int
    status: Status
    rows: int
    distances: dict[str, float]
    auc: float | None
    auc_low: float | None
    auc_high: float | None
    reference_auc: float | None
    log_loss: float | None
    reasons: tuple[str, ...]

    @property
    def key(self) -> tuple[int, int, str, str]:
        """What makes two records one: the window and the version; sorts by time."""
        return self.window_start, self.window_end, self.version, self.source


class HistoryError(Exception):
    """A history that cannot be read; the message names file and line."""


def record(comparison: Comparison) -> WindowRecord:
    """What the history keeps of a window."""
    verdict, quality = comparison.verdict, comparison.quality
    auc = quality.window.auc if quality else None
    return WindowRecord(
        version=verdict.version,
        source=verdict.source,
        window_start=verdict.window_start,
        window_end=verdict.window_end,
        status=verdict.status,
        rows=verdict.rows,
        distances={drift.name: drift.value for drift in comparison.drifts},
        auc=auc.value if auc else None,
        auc_low=auc.low if auc else None,
        auc_high=auc.high if auc else None,
        reference_auc=quality.reference.auc.value if quality else None,
        log_loss=quality.window.log_loss.value if quality else None,
        reasons=tuple(verdict.reasons),
    )


def append(path: Path, new: WindowRecord) -> list[WindowRecord]:
    """Add a window to the file and return all windows in order of time.

    A record of the same window, version and source is replaced, so that a rerun changes nothing. The file is
    written anew and renamed: a crash leaves the old one.

    Raises:
        HistoryError: the file holds something else.
    """
    records = {item.key: item for item in read(path)} | {new.key: new}
    ordered = [records[key] for key in sorted(records)]
    with replacing(path) as temporary:
        lines = (json.dumps(asdict(item), allow_nan=False) + "\n" for item in ordered)
        temporary.write_text("".join(lines), encoding="utf-8")
    return ordered


def read(path: Path) -> list[WindowRecord]:
    """All windows of the file; none if there is no file.

    Raises:
        HistoryError: a line that is no record.
    """
    if not path.exists():
        return []
    records = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            values: dict[str, Any] = json.loads(line)
            records.append(parse(WindowRecord, values, f"line {number}"))
        except (ValueError, TypeError, SettingsError) as error:
            raise HistoryError(
                f"{path}, line {number}: is no record of a window ({error}); mend or remove the line"
            ) from None
    return records
