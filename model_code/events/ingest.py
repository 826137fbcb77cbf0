"""From a raw log to canonical events: each record is kept, quarantined, a duplicate or unwanted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import ibis

from model_code.events.behavior_counts import count_behaviors, mix_behaviors
from model_code.events.categories import Categories, read_categories
from model_code.events.checks import IDS, check
from model_code.events.click_log import Balance, ClickLog
from model_code.events.engine import EngineSettings, scratch_folder
from model_code.events.engines import start_engine
from model_code.events.engines.engine import NO_TEXTS, Engine, FewTexts
from model_code.events.errors import IngestError
from model_code.events.parquet_files import count_nulls, count_rows
from model_code.events.plain_csv import stage_plain
from model_code.events.plausibility import refuse_implausible
from model_code.events.quarantine import quarantine
from model_code.events.raw_table import LOG, RawTable, open_table
from model_code.events.repeats import find_repeats
from model_code.events.source import SourceSettings
from model_code.events.staged_ids import id_text, typed_id
from model_code.events.stops import explaining_stops
from model_code.events.survey import Survey, id_type, is_wanted, survey
from model_code.files import replacing, write_json
from model_code.settings import SettingsError

ORDER = ("user_id", "timestamp", "item_id", "behavior")  # of the events, which differ in one of these
_FEW = 200  # behaviors, at most, that are sorted as numbers
CASTS = {"BIGINT": "int64", "VARCHAR": "string"}  # to Ibis' names of the types


def ingest(source: SourceSettings, engine: EngineSettings, out: Path) -> ClickLog:
    """Read a raw log, check each record, remove duplicates and unwanted behaviors.

    The output depends neither on the engine's threads nor on the machine's time zone, and the events do not
    depend on how the records are spread over files.

    Args:
        source: the log.
        engine: how much of the machine to use.
        out: the folder to write; an old one is replaced, on success only.

    Raises:
        IngestError: if the log is missing, empty, or nothing in it can be used, or its times cannot be right.
        SettingsError: if the time zone is unknown.
        ArithmeticError: if the counts do not balance.
    """
    source = source.as_table()
    raw = open_table(source.path, source.table_columns, source.header, LOG)
    with (
        explaining_stops(f"reading {source.path}", out),
        start_engine(engine) as connection,
        replacing(out) as folder,
        _reading(connection, source.path),
    ):
        folder.mkdir()
        log = ClickLog(folder)
        _set_zone(connection, source.time.zone)
        scan = raw.scan(connection)
        # One pass over the raw text; what follows reads a third of it, typed.
        staged = stage_plain(connection, raw, source)
        if staged is None:
            staged = connection.stage(check(scan.records, source), raw.layout.header_line)
        else:
            scan = replace(scan, rejects=None)
        found = survey(staged, scan, source)
        refuse_implausible(found, staged, scan, source, raw.count)
        categories = _categories(connection, source, engine)
        id_types = _id_types(found, source, categories)
        rejects = scan.rejects() if scan.rejects else None
        connection.write(quarantine(staged, rejects, raw), log.quarantine)
        events = _events(staged, source, id_types, categories)
        # Records of one event may differ in category alone: a known one goes before NULL, then the smallest.
        key = [name for name in ORDER if name in events.columns]
        connection.write_once(events, key, log.events, _few_behaviors(connection, staged, source))
        filtered = _mix_behaviors(connection, staged, found, source, log)
        balance = _balance(found, filtered, log, raw)
        balance.check()
        repeats = find_repeats(connection, _passed(staged), raw.files, balance.duplicates)
        facts = _facts(connection, log)
        _refuse_strange_items(source, facts["events_without_category"], balance.kept)
        manifest = {
            "balance": asdict(balance),
            "quarantine_reasons": found.reasons,
            "files": len(raw.files.paths),
            "repeated_files": [asdict(repeat) for repeat in repeats],
            "id_types": id_types,
            **facts,
            "category_table": asdict(categories.counts) if categories else None,
        }
        write_json(folder / "manifest.json", manifest)
    return ClickLog(out)


@contextmanager
def _reading(connection: Engine, path: str) -> Iterator[None]:
    """Turn the engine's complaint about a file into one that says what to do."""
    try:
        yield
    except connection.unreadable as error:
        raise IngestError(
            f"{path} cannot be read: {error}\n"
            "Text files should be UTF-8, with one kind of line end in each file."
        ) from error


def _categories(connection: Engine, source: SourceSettings, engine: EngineSettings) -> Categories | None:
    """The category table, read by the engine beside: it has a row an item or so."""
    if source.categories is None:
        return None
    with (
        _reading(connection, source.categories.path),
        connection.beside() as light,
        scratch_folder(engine) as scratch,
    ):
        _set_zone(light, source.time.zone)
        found = read_categories(light, source.categories, source.time.unit, scratch)
        return replace(found, table=connection.take(found.table))


def _set_zone(connection: Engine, zone: str) -> None:
    try:
        connection.set_zone(zone)
    except ValueError:
        raise SettingsError(
            f"source.time.zone = {zone!r}: should be an IANA name such as Asia/Shanghai"
        ) from None


def _id_types(found: Survey, source: SourceSettings, categories: Categories | None) -> dict[str, str]:
    """BIGINT or VARCHAR for each id; a log without categories has a column of NULL, as integers."""
    types = {"category_id": "BIGINT", **found.id_types}
    if source.categories and categories:
        types["category_id"] = id_type(source.ids, categories.all_integers)
        if types["category_id"] == "BIGINT" and not categories.all_integers:
            raise IngestError(
                f"{source.categories.path}: source.ids is 'integer', but not every category is one"
            )
    return {name: types[name] for name in IDS}


def _refuse_strange_items(source: SourceSettings, without_category: int, kept: int) -> None:
    if source.categories and kept and without_category == kept:
        time = ", at the event's time" if source.categories.valid_from else ""
        raise IngestError(
            f"{source.categories.path}: no event's item is among its items{time}; check "
            "source.columns.item_id and source.categories.item_id: ids are compared as texts, so that 2.0 is "
            "not 2"
        )


def _events(
    staged: ibis.Table, source: SourceSettings, id_types: dict[str, str], categories: Categories | None
) -> ibis.Table:
    """The events to keep, as often as they were recorded."""
    kept = staged.filter(staged.reason.isnull(), is_wanted(staged, source))
    ids = {name: typed_id(kept, name, kind) for name, kind in id_types.items() if name in kept.columns}
    others = [name for name in ("timestamp", "behavior") if name in kept.columns]
    kept = kept.select(*others, **ids, item=id_text(kept, "item_id"))
    if categories:
        kept = categories.join(kept)
        kept = kept.mutate(category_id=kept.category_id.cast(CASTS[id_types["category_id"]]))
    elif "category_id" not in kept.columns:
        kept = kept.mutate(category_id=ibis.null(CASTS[id_types["category_id"]]))
    return kept.select([name for name in (*IDS, "timestamp", "behavior") if name in kept.columns])


def _few_behaviors(connection: Engine, staged: ibis.Table, source: SourceSettings) -> FewTexts:
    """All behaviors of the events to keep, unless there are many."""
    if "behavior" not in staged.columns:
        return NO_TEXTS
    if source.behaviors_kept is not None:
        return {"behavior": [*dict.fromkeys(source.behaviors_kept)]}
    passed = staged.filter(staged.reason.isnull())
    behaviors = connection.fetch(passed.select("behavior").distinct().limit(_FEW + 1))["behavior"].to_pylist()
    return {"behavior": behaviors} if 0 < len(behaviors) <= _FEW else NO_TEXTS


def _mix_behaviors(
    connection: Engine, staged: ibis.Table, found: Survey, source: SourceSettings, log: ClickLog
) -> int:
    """Write how all behaviors mix over time; return how many events are of unwanted ones."""
    if "behavior" not in staged.columns:
        return 0
    unwanted = staged.filter(staged.reason.isnull(), ~is_wanted(staged, source))
    # As texts if need be: that those in events are numbers does not mean that these are.
    types = {name: "BIGINT" if name in found.numbers else "VARCHAR" for name in ("user_id", "item_id")}
    ids = {name: typed_id(unwanted, name, kind) for name, kind in types.items()}
    unwanted = unwanted.select("timestamp", "behavior", **ids)
    filtered = connection.keep(count_behaviors(unwanted.distinct(), unwanted))
    events = connection.read(log.events)
    counts = connection.keep(count_behaviors(events, events).union(filtered))
    connection.write(mix_behaviors(counts), log.behaviors)
    return filtered.events.sum().to_pyarrow().as_py() or 0


def _passed(staged: ibis.Table) -> ibis.Table:
    """File and event of the records that passed; a missing behavior is empty, so that it equals itself."""
    passed = staged.filter(staged.reason.isnull())
    ids = {name: id_text(passed, name) for name in ("user_id", "item_id")}
    behavior = {"behavior": passed.behavior.fill_null("")} if "behavior" in passed.columns else {}
    return passed.select("file", "timestamp", **ids, **behavior)


def _balance(found: Survey, filtered: int, log: ClickLog, raw: RawTable) -> Balance:
    kept = count_rows(log.events)
    return Balance(
        raw=raw.count,
        kept=kept,
        quarantined=count_rows(log.quarantine),
        duplicates=found.passed - kept - filtered,
        filtered_behaviors=filtered,
    )


def _facts(connection: Engine, log: ClickLog) -> dict[str, Any]:
    """First and last timestamp in milliseconds, and how many events have no category."""
    events = connection.read(log.events)
    time = events.timestamp
    unknown = count_nulls(log.events, "category_id")  # to look at each takes far longer
    if unknown is None:
        unknown = events.category_id.isnull().sum().to_pyarrow().as_py() or 0
    [found] = events.agg(first=time.min(), last=time.max()).to_pyarrow().to_pylist()
    return {"time": found, "events_without_category": unknown}
