"""The behaviour mix of a log: events by behaviour, before the behaviours that are not wanted leave."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from model_code.files import read_json, write_json


@dataclass(frozen=True)
class Behaviors:
    """Events of a period by group of users and behaviour.

    Attributes:
        names: of the behaviours.
        events: (groups, behaviours); a group of users is the unit of resampling, see `by_hour`.
    """

    names: tuple[str, ...]
    events: NDArray[np.int64]

    def write(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, {"names": self.names, "events": self.events.tolist()})

    @classmethod
    def read(cls, path: Path) -> Behaviors | None:
        """Read what `write` wrote; ``None`` when there is no such file: the log has no behaviours."""
        if not path.is_file():
            return None
        found: dict[str, Any] = read_json(path)
        names = tuple(found["names"])
        return cls(names, np.array(found["events"], dtype=np.int64).reshape(-1, len(names)))


def count_behaviors(path: Path, start: int, end: int) -> Behaviors | None:
    """Count the events of a period.

    Args:
        path: ``behaviors.parquet`` of a click log.
        start: ms since 1970 UTC; hours count that begin at or after it.
        end: ms, exclusive.

    Returns:
        ``None`` when the log has no behaviours, or none in the period.
    """
    if not path.is_file():
        return None
    table = pq.read_table(path)
    hour = table["hour"].to_numpy()
    inside = (hour >= start) & (hour < end)
    if not inside.any():
        return None
    names, code = np.unique(table["behavior"].to_numpy()[inside].astype(str), return_inverse=True)
    groups, group = np.unique(table["user_group"].to_numpy()[inside], return_inverse=True)
    events = np.zeros((len(groups), len(names)), dtype=np.int64)
    np.add.at(events, (group, code), table["events"].to_numpy()[inside])
    return Behaviors(tuple(names.tolist()), events)
