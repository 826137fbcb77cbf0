import hashlib
from collections import Counter

import ibis
import pyarrow as pa

from model_code.events.behavior_counts import HOUR, MOST_BEHAVIORS, OTHER, count_behaviors, mix_behaviors
from model_code.events.click_log import USER_GROUPS
from model_code.events.engine import EngineSettings
from model_code.events.engines import start_engine

Event = tuple[str | int, int, str | None]  # user, time, behavior


def counted(*logs: list[Event]) -> Counter[tuple[int, int, str]]:
    """What is counted of the events of some logs, the users of each as texts or as numbers."""
    parts = []
    for events in logs:
        rows = [dict(zip(("user_id", "timestamp", "behavior"), event, strict=True)) for event in events]
        table = ibis.memtable(pa.Table.from_pylist(rows))
        parts.append(count_behaviors(table, table.union(table)))
    with start_engine(EngineSettings(threads=1)) as connection:
        found = connection.fetch(mix_behaviors(ibis.union(*parts) if len(parts) > 1 else parts[0]))
    rows = found.to_pylist()
    assert rows == sorted(rows, key=lambda row: (row["hour"], row["user_group"], row["behavior"]))
    return Counter({(row["hour"], row["user_group"], row["behavior"]): row["events"] for row in rows})


def group(user: str) -> int:
    return hashlib.md5(user.encode()).digest()[0] % USER_GROUPS


def test_a_user_is_in_one_group_whether_the_id_is_a_text_or_a_number():
    texts: list[Event] = [("5", 1, "pv"), ("ä", 4, "pv")]
    numbers: list[Event] = [(5, 2, "buy"), (5, 3, "pv"), (6, 5, None)]
    assert counted(texts, numbers) == {
        (0, group("5"), "pv"): 2,
        (0, group("5"), "buy"): 1,
        (0, group("ä"), "pv"): 1,
    }


def test_hours_start_before_their_events_even_before_1970():
    assert counted([(1, time, "pv") for time in (-1, 0, HOUR - 1, HOUR, -HOUR)]) == {
        (-HOUR, group("1"), "pv"): 2,
        (0, group("1"), "pv"): 2,
        (HOUR, group("1"), "pv"): 1,
    }


def test_behaviors_beyond_the_most_frequent_ones_are_counted_together():
    names = [f"b{number:03}" for number in range(MOST_BEHAVIORS + 3)]
    found = counted([(1, 0, name) for name in names], [("1", 0, names[-1])])
    # The last one is the most frequent; of the others, as frequent as each other, the first by name are kept.
    kept = {names[-1], *names[: MOST_BEHAVIORS - 1]}
    assert {behavior for _, _, behavior in found} == {*kept, OTHER}
    assert found[0, group("1"), OTHER] == 3
    assert found.total() == len(names) + 1
