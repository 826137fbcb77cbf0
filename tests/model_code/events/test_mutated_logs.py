"""Spoiled logs end in what a literal reading of the protocol gives, or in an error that says what to do."""

import random
import re

import pytest
from pyarrow import parquet

from model_code.events.engine import EngineSettings
from model_code.events.errors import IngestError
from model_code.events.ingest import ingest
from model_code.events.source import SourceSettings, WindowSettings
from model_code.events.split import SplitSettings, split
from model_code.sequences.build import build
from model_code.sequences.data import SequenceFolder
from model_code.sequences.logged_ids import LoggedIds
from model_code.sequences.settings import SequenceSettings
from model_code.settings import SettingsError
from tests.model_code.events.mutations import write_mutated
from tests.model_code.events.raw_logs import ALL, events, set_aside
from tests.model_code.events.reference_preparation import Refused, histories, ingested, split_events

ENGINE = EngineSettings(threads=1)
LENGTH = 4
NAMED = r"source\.|split\.|sequences\.|{folder}"  # an error names a file or a setting


def settings(rng: random.Random) -> dict:
    """Settings of the source that the reference knows."""
    values: dict = {"ids": rng.choice(["auto", "auto", "string", "integer"])}
    if rng.random() < 0.5:
        values |= {"behaviors_known": ("pv", "buy"), "behaviors_kept": ("pv",)}
    if rng.random() < 0.3:
        values["window"] = WindowSettings(start="2017-11-25T00:05:00+08:00", end="2017-11-25T00:40:00+08:00")
    return values


def check_ingested(log, expected) -> None:
    assert events(log) == expected.events
    assert log.manifest["id_types"] == expected.types
    found = set_aside(log)
    assert [row[:3] for row in found] == [row[:3] for row in expected.quarantine]
    for row, due in zip(found, expected.quarantine, strict=True):
        assert due[3] is None or row[3] == due[3]
    balance = log.balance
    assert (balance.raw, balance.kept) == (expected.raw, len(expected.events))
    assert (balance.duplicates, balance.filtered_behaviors) == (expected.duplicates, expected.filtered)
    assert balance.quarantined == len(expected.quarantine)


def check_split(parts, expected, minimum: int) -> list[dict]:
    middle, late, rows = split_events(expected.events, minimum)
    manifest = parts.manifest
    assert (manifest["validation_timestamp"], manifest["split_timestamp"]) == (middle, late)
    names = ("user_id", "timestamp", "item_id", "part")
    found = [tuple(row[name] for name in names) for row in parquet.read_table(parts.events).to_pylist()]
    assert found == [tuple(row[name] for name in names) for row in rows]
    assert parts.balance.filtered_users_events == len(expected.events) - len(rows)
    parts.balance.check()
    return rows


def check_sequences(data, folder, rows) -> None:
    ids = LoggedIds.load(SequenceFolder(folder))
    items, users = ids.items.take(data.item).to_pylist(), ids.users.to_pylist()
    for number, (name, due) in enumerate(zip(data.parts, histories(rows, LENGTH), strict=True)):
        samples = data.parts[name]
        columns = (samples.user, samples.position, samples.history_start, samples.history_end)
        found = [
            (users[user], int(data.timestamp[at]), items[at], tuple(items[start:end]))
            for user, at, start, end in zip(*(column.tolist() for column in columns), strict=True)
        ]
        dropped = data.manifest["parts"][name].get("groups_dropped", 0)
        assert len(found) + dropped == len(due)
        assert not [sample for sample in found if sample not in due]
        assert dropped or sorted(map(repr, found)) == sorted(map(repr, due))
        for positive, negatives in zip(samples.position, samples.negatives if number else [], strict=False):
            own = {
                row["item_id"]
                for row in rows
                if row["user_id"] == users[_row_of(data, positive)] and row["part"] == number
            }
            assert not own & {items[at] for at in negatives}


def _row_of(data, position: int) -> int:
    return int((data.user_offsets <= position).sum()) - 1


def refused(error: Exception, folder, pattern: str) -> None:
    """Check that an error is a documented one, says why and names a file or a setting."""
    known = isinstance(error, IngestError | SettingsError) or type(error) is ValueError
    assert known, f"{type(error)}: {error}"
    assert re.search(pattern, str(error), re.DOTALL), f"{error!s:.500}\nis not {pattern}"
    assert re.search(NAMED.format(folder=re.escape(str(folder))), str(error)), str(error)


def prepare_mutated(seed: int, folder) -> str:
    """Prepare one spoiled log and compare; returns how far it came."""
    rng = random.Random(seed)
    raw = folder / "raw"
    raw.mkdir()
    draft, names = write_mutated(rng, raw)
    values = settings(rng)
    source = SourceSettings(path=str(raw), columns=ALL, **values)
    paths = [
        path
        for path in raw.rglob(f"*.{draft.form}{'.gz' if draft.packed else ''}")
        if path.is_file() and not path.name.startswith(".")
    ]
    try:
        return _prepare(rng, folder, draft, source, paths)
    except Exception as error:
        error.add_note(f"seed {seed}: {', '.join(names)}; {draft.form} {draft.packed} {values}")
        raise


def _prepare(rng, folder, draft, source, paths) -> str:
    expected, why = None, ""
    if not draft.damaged:
        try:
            expected = ingested(paths, folder / "raw", source)
        except Refused as error:
            why = str(error)
    try:
        log = ingest(source, ENGINE, folder / "log")
    except Exception as error:
        refused(error, folder, "" if draft.unsure else why)
        assert draft.damaged or draft.unsure or why or expected.unsure, f"should be read: {error}"
        assert sorted(path.name for path in folder.iterdir()) == ["raw"]
        return "refused"
    log.balance.check()
    if draft.damaged:
        return "damaged"
    assert expected is not None, f"should be refused: {why}"
    check_ingested(log, expected)
    if rng.random() < 0.6:
        return "ingested"
    return _go_on(folder, log, expected, rng.choice([1, 2, 5]))


def _go_on(folder, log, expected, minimum: int) -> str:
    try:
        due, why = split_events(expected.events, minimum), ""
    except Refused as error:
        due, why = None, str(error)
    try:
        parts = split(log, SplitSettings(min_interactions=minimum), ENGINE, folder / "split")
    except Exception as error:
        assert due is None, f"should be split: {error}"
        refused(error, folder, why)
        return "not split"
    assert due is not None, f"should not be split: {why}"
    rows = check_split(parts, expected, minimum)
    values = SequenceSettings(max_length=LENGTH, negatives_per_positive=1)
    due = histories(rows, LENGTH)
    try:
        data = build(parts, values, ENGINE, folder / "sequences")
    except Exception as error:
        refused(error, folder, "can be filled" if due[0] else "no user has two events")
        return "not built"
    check_sequences(data, folder / "sequences", rows)
    return "built"


SHARE, ALL_RUNS, BATCH = 60, 1_200, 20


def batches(first: int, last: int) -> list[int]:
    return list(range(first, last, BATCH))


def run_batch(first: int, tmp_path) -> None:
    for seed in range(first, first + BATCH):
        folder = tmp_path / str(seed)
        folder.mkdir()
        prepare_mutated(seed, folder)


@pytest.mark.parametrize("first", batches(0, SHARE))
def test_spoiled_logs_end_in_a_right_result_or_a_clear_error(tmp_path, first):
    run_batch(first, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("first", batches(SHARE, ALL_RUNS))
def test_many_spoiled_logs_end_in_a_right_result_or_a_clear_error(tmp_path, first):
    run_batch(first, tmp_path)
