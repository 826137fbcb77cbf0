"""Files of a log that repeat others whole: the same file under another name, an export within a larger one.

Their events count once, whatever the files are called; people want to know all the same, as such files cost
time and hide that something else is missing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import ibis
import pyarrow as pa

from model_code.events.engines.engine import Engine
from model_code.events.raw_files import RawFiles


@dataclass(frozen=True)
class RepeatedFile:
    """A file without an event of its own.

    Attributes:
        file: its name in the log's folder.
        records: its usable records.
        events: different ones among them.
        found_in: how many of these are in which larger file; among files of one size the first by name.
    """

    file: str
    records: int
    events: int
    found_in: Mapping[str, int]


def find_repeats(
    connection: Engine, passed: ibis.Table, files: RawFiles, duplicates: int
) -> list[RepeatedFile]:
    """Find the files of which each event is also in a file with more, or with as many and a lower name.

    Args:
        connection: the engine.
        passed: the records that passed all checks: ``file`` (full path), and the columns that tell one event
            from another; none of these is NULL.
        files: all of the log's.
        duplicates: how many of the records repeat another.

    Returns:
        them by name.
    """
    if len(files.paths) == 1 or not duplicates:
        return []
    # The log without such a file holds the same events: all records of the file are among the duplicates.
    counted = passed.group_by("file").agg(records=passed.count()).to_pyarrow().to_pylist()
    records = {row["file"]: row["records"] for row in counted}
    candidates = {file for file, count in records.items() if count <= duplicates}
    if not candidates:
        return []
    held = _held(connection, passed, candidates)
    sizes = held.group_by("file").agg(events=held.count()).to_pyarrow().to_pylist()
    events = {row["file"]: row["events"] for row in sizes}
    # A file that is no candidate repeats nothing, so that its place among the like does not matter.
    order = sorted(events, key=lambda file: (file in candidates, -events[file], file))
    holders = _first_holders(connection, held, order)
    repeats = [
        RepeatedFile(
            file=files.name(Path(order[place])),
            records=records[order[place]],
            events=events[order[place]],
            found_in={files.name(Path(order[first])): count for first, count in found.items()},
        )
        for place, found in holders.items()
        if order[place] in candidates and place not in found
    ]
    return sorted(repeats, key=lambda repeat: repeat.file)


def _held(connection: Engine, passed: ibis.Table, candidates: Collection[str]) -> ibis.Table:
    """Which file holds which event, of the events of the candidates."""
    identity = [name for name in passed.columns if name != "file"]
    in_question = passed.filter(passed.file.isin(sorted(candidates))).select(identity).distinct()
    held = passed.semi_join(in_question, identity).select("file", *identity).distinct()
    return connection.keep(held)


def _first_holders(connection: Engine, held: ibis.Table, order: list[str]) -> dict[int, dict[int, int]]:
    """For each file, by its place in ``order``: how many of its events are in which file first."""
    places = ibis.memtable(pa.table({"file": order, "place": range(len(order))}))
    placed = held.join(places, "file").drop("file")
    identity = [name for name in placed.columns if name != "place"]
    first = placed.group_by(identity).agg(first=placed.place.min())
    pairs = placed.join(first, identity).group_by("place", "first").agg(events=ibis._.count())
    holders: dict[int, dict[int, int]] = {}
    for row in pairs.order_by("place", "first").to_pyarrow().to_pylist():
        holders.setdefault(row["place"], {})[row["first"]] = row["events"]
    return holders
