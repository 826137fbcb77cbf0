"""What a version was trained on, beside what the version before it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model_code.files import read_json, write_json
from model_code.lineage import data_version
from model_code.reports.page import MISSING, count, moment
from model_code.settings import parse


@dataclass(frozen=True)
class LogFacts:
    """A prepared log in a few numbers.

    Attributes:
        data_version: of the raw log.
        raw_files: hash of its files: the same files have it before and after DVC pins them.
        counts: rows, users, items and samples, by what they are called.
        first: time of the first event that is kept, ms since 1970 UTC.
        last: of the last one.
    """

    data_version: str
    raw_files: str
    counts: Mapping[str, int]
    first: int
    last: int

    @classmethod
    def of(
        cls, lineage: Mapping[str, str], split: Mapping[str, Any], sequences: Mapping[str, Any]
    ) -> LogFacts:
        """Take the numbers from the manifests of the split log and of the sequences."""
        counts = {name.replace("_", " "): rows for name, rows in split["balance"].items()}
        counts |= {name: sequences[name] for name in ("users", "items", "categories")}
        counts |= {f"{part} samples": found["targets"] for part, found in sequences["parts"].items()}
        times = [part[end] for part in split["parts"].values() for end in ("first", "last")]
        return cls(data_version(lineage), lineage["raw files"], counts, min(times), max(times))


@dataclass(frozen=True)
class LogChange:
    """The log of this version and that of the one before.

    Attributes:
        now: this version's.
        version: what the version before is called; ``None`` if there is none whose log is known.
        before: its log.
    """

    now: LogFacts
    version: str | None = None
    before: LogFacts | None = None

    def write(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> LogChange:
        """Read what `write` wrote."""
        return parse(cls, read_json(path), str(path))

    def in_words(self) -> str:
        """Whether the log is another than before, in a sentence; empty without a version before."""
        if self.before is None:
            return ""
        if self.before.raw_files == self.now.raw_files:
            return f"The same raw log as version {self.version}'s."
        return f"Another raw log than version {self.version}'s."

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Name, value before, value now and change, as text; nothing where nothing changed."""
        old, new = self.before, self.now
        if old is None or old == new:
            return []
        names = [*new.counts, *(name for name in old.counts if name not in new.counts)]
        return [
            ("data version", _short(old.data_version), _short(new.data_version), ""),
            *((name, *_pair(old.counts.get(name), new.counts.get(name))) for name in names),
            ("first event", moment(old.first), moment(new.first), _hours(new.first - old.first)),
            ("last event", moment(old.last), moment(new.last), _hours(new.last - old.last)),
        ]


def _short(version: str) -> str:
    """As much of a version as it takes to tell it from others."""
    return version[:8]


def _pair(before: int | None, now: int | None) -> tuple[str, str, str]:
    change = MISSING if before is None or now is None else _signed(now - before, "")
    return count(before), count(now), change


def _hours(milliseconds: int) -> str:
    return _signed(round(milliseconds / 3_600_000), " h")


def _signed(value: int, unit: str) -> str:
    return "same" if value == 0 else f"{value:+,d}{unit}".replace("-", "−")
