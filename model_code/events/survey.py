"""What the checked records of a log are, in counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import ibis
from ibis.expr.types import BooleanValue

from model_code.events.checks import BLANK_LINE, IDS, REASONS, UNPARSABLE_ROW
from model_code.events.readers.reader import Scan
from model_code.events.source import SourceSettings, to_milliseconds
from model_code.events.staged_ids import is_missing

YEARS = (1995, 2100)  # where the median of a log's timestamps may lie: in ms, from EARLY to before LATE
EARLY, LATE = (to_milliseconds(datetime(year, 1, 1, tzinfo=UTC)) for year in YEARS)
OPTIONAL = ("category_id", "behavior")


@dataclass(frozen=True)
class Survey:
    """Counts over the checked records.

    Attributes:
        reasons: failed records by reason, in the order of the checks, zeros left out.
        passed: records that passed all checks.
        wanted: whether one of them is of a wanted behavior.
        id_types: BIGINT or VARCHAR, for each id column of the log itself.
        numbers: the id columns that are numbers in all records that passed, of unwanted behaviors, too.
        empty: optional columns that are empty in every record.
        timed: records whose timestamps could be parsed.
        early: those of them before `EARLY`.
        late: those of them from `LATE` on.
    """

    reasons: dict[str, int]
    passed: int
    wanted: bool
    id_types: dict[str, str]
    numbers: tuple[str, ...]
    empty: tuple[str, ...]
    timed: int
    early: int
    late: int

    @property
    def records(self) -> int:
        """All records, passed or failed."""
        return self.passed + sum(self.reasons.values())


def is_wanted(staged: ibis.Table, source: SourceSettings) -> BooleanValue:
    """Whether a record's behavior is a wanted one."""
    if source.behaviors_kept is None:
        return ibis.literal(True)
    return staged.behavior.isin(source.behaviors_kept).fill_null(False)


def survey(staged: ibis.Table, scan: Scan, source: SourceSettings) -> Survey:
    """Count the checked records and choose the id types.

    Args:
        staged: the checked records.
        scan: the same before the checks, its rejects complete.
        source: a table source.
    """
    passed = staged.reason.isnull()
    kept = passed & is_wanted(staged, source)
    ids = [name for name in IDS if name in staged.columns]
    optional = [name for name in OPTIONAL if name in staged.columns]
    time = staged.timestamp
    # A question at a time: an engine then passes over what a file's statistics rule out.
    texts = {name for name in ids if _there_is(staged.filter(kept, staged[name].notnull()))}
    return Survey(
        reasons=_reasons(staged, scan),
        passed=_count(staged.filter(passed)),
        wanted=_there_is(staged.filter(kept)),
        id_types={name: id_type(source.ids, name not in texts) for name in ids},
        numbers=tuple(
            name
            for name in ids
            if name not in texts and not _there_is(staged.filter(passed, staged[name].notnull()))
        ),
        empty=tuple(name for name in optional if not _there_is(staged.filter(~_is_empty(staged, name)))),
        timed=_count(staged.filter(time.notnull())),
        early=_count(staged.filter(time < EARLY)),
        late=_count(staged.filter(time >= LATE)),
    )


def _count(rows: ibis.Table) -> int:
    count: int = rows.count().to_pyarrow().as_py()
    return count


def _there_is(rows: ibis.Table) -> bool:
    """Whether there is a row; the search ends with the first one."""
    return _count(rows.limit(1)) > 0


def _is_empty(staged: ibis.Table, name: str) -> BooleanValue:
    return is_missing(staged, name) if name in IDS else staged[name].isnull()


def id_type(rule: str, all_integers: bool) -> str:
    """The type that the id rule gives to a column."""
    return "BIGINT" if rule == "integer" or (rule == "auto" and all_integers) else "VARCHAR"


def _reasons(staged: ibis.Table, scan: Scan) -> dict[str, int]:
    failed = staged.filter(staged.reason.notnull(), staged.reason != BLANK_LINE)
    rows = failed.group_by("reason").agg(records=failed.count()).to_pyarrow().to_pylist()
    counts = {row["reason"]: row["records"] for row in rows}
    if scan.rejects:
        counts[UNPARSABLE_ROW] = counts.get(UNPARSABLE_ROW, 0) + scan.rejects().count().to_pyarrow().as_py()
    return {reason: counts[reason] for reason in REASONS if counts.get(reason)}
