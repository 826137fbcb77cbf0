import hashlib
from collections import Counter

import ibis
import pyarrow as pa

from model_code.events.behavior_counts import HOUR, MOST_BEHAVIORS, OTHER, count_behaviors
from model_code.events.click_log import USER_GROUPS
from model_code.events.engine import EngineSettings
from model_code.events.engines import start_engine


def counted(events: list[tuple[str | None, int | None, int, str | None]]) -> Counter[tuple[int, int, str]]:
    """What is counted of (user as text, user as number, time, behavior)."""
    names = ["user_id", "user_id_number", "timestamp", "behavior"]
    kinds = [pa.string(), pa.int64(), pa.int64(), pa.string()]
    columns = [
        pa.array(values, type=kind) for values, kind in zip(zip(*events, strict=True), kinds, strict=True)
    ]
    with start_engine(EngineSettings(threads=1)) as connection:
        rows = connection.fetch(count_behaviors(ibis.memtable(pa.table(columns, names=names)))).to_pylist()
    assert rows == sorted(rows, key=lambda row: (row["hour"], row["user_group"], row["behavior"]))
    return Counter({(row["hour"], row["user_group"], row["behavior"]): row["events"] for row in rows})


def group(user: str) -> int:
    return hashlib.md5(user.encode()).digest()[0] % USER_GROUPS


def test_a_user_is_in_one_group_whether_the_id_is_staged_as_text_or_as_number():
    events = [
        ("5", None, 1, "pv"),
        (None, 5, 2, "buy"),
        (None, 5, 3, "pv"),
        ("ä", None, 4, "pv"),
        (None, 6, 5, None),
    ]
    assert counted(events) == {(0, group("5"), "pv"): 2, (0, group("5"), "buy"): 1, (0, group("ä"), "pv"): 1}


def test_hours_start_before_their_events_even_before_1970():
    events = [(None, 1, time, "pv") for time in (-1, 0, HOUR - 1, HOUR, -HOUR)]
    assert counted(events) == {
        (-HOUR, group("1"), "pv"): 2,
        (0, group("1"), "pv"): 2,
        (HOUR, group("1"), "pv"): 1,
    }


def test_behaviors_beyond_the_most_frequent_ones_are_counted_together():
    names = [f"b{number:03}" for number in range(MOST_BEHAVIORS + 3)]
    events = [(None, 1, 0, name) for name in names] + [(None, 1, 0, names[-1])]
    found = counted(events)
    # The last one is the most frequent; of the others, as frequent as each other, the first by name are kept.
    kept = {names[-1], *names[: MOST_BEHAVIORS - 1]}
    assert {behavior for _, _, behavior in found} == {*kept, OTHER}
    assert found[0, group("1"), OTHER] == 3
    assert found.total() == len(events)
