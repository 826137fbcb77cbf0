import random
from dataclasses import replace

import duckdb
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as budget
from hypothesis import strategies as st

from model_code.events.click_log import USER_GROUPS, Balance
from model_code.events.engine import EngineSettings
from model_code.events.errors import IngestError
from model_code.events.ingest import ingest
from model_code.events.source import SourceSettings, WindowSettings
from tests.model_code.events.raw_logs import ALL, T0, events, run, set_aside, write


def test_duplicates_are_removed_before_unwanted_behaviors(tmp_path):
    rows = [
        f"1,5,{c},{b},{T0}" for c, b in (("", "pv"), ("9", "pv"), ("2", "pv"), ("2", "buy"), ("2", "buy"))
    ]
    write(tmp_path / "log.csv", "u,i,c,b,t", *rows)
    log = run(tmp_path / "log.csv", tmp_path / "out", ALL, behaviors_kept=("pv",))
    assert log.balance == Balance(raw=5, kept=1, quarantined=0, duplicates=3, filtered_behaviors=1)
    assert [event["category_id"] for event in events(log)] == [
        2
    ]  # the smallest known one, whatever the order


def test_behaviors_are_counted_by_hour_and_group_before_unwanted_ones_leave(tmp_path):
    hour = 3_600
    rows = [f"{user},5,2,{b},{T0 + k * hour}" for user in range(40) for k in range(2) for b in ("pv", "buy")]
    write(tmp_path / "log.csv", "u,i,c,b,t", *rows, f"1,5,2,,{T0}", f"1,5,2,pv,{T0}")
    log = run(tmp_path / "log.csv", tmp_path / "out", ALL, behaviors_kept=("pv",))
    counted = pd.read_parquet(log.behaviors)
    assert counted.events.dtype == "int64"
    assert counted.groupby("behavior").events.sum().to_dict() == {"pv": 80, "buy": 80}
    assert counted.groupby("hour").events.sum().tolist() == [80, 80]
    assert (counted.hour % (hour * 1000) == 0).all()
    assert counted.user_group.between(0, USER_GROUPS - 1).all()
    assert counted.user_group.nunique() > 20
    of_user = counted[counted.behavior == "buy"].groupby("user_group").events.sum()
    assert (of_user % 2 == 0).all(), "a user's events are in one group"
    without = run(tmp_path / "log.csv", tmp_path / "none", replace(ALL, behavior=None))
    assert not without.behaviors.exists()


def test_taobao_preset_reads_the_headerless_file_with_its_cut_last_row(tmp_path):
    lines = [
        f"1,2268318,2520377,pv,{T0}",
        f"1,2,3,buy,{T0}",
        f"1,2,3,pv,{T0 - 1}",
        "103070,1968385,1875258,pv",
    ]
    (tmp_path / "UserBehavior.csv").write_text("\n".join(lines))
    source = SourceSettings(path=str(tmp_path / "UserBehavior.csv"), format="taobao")
    log = ingest(source, EngineSettings(threads=1), tmp_path / "out")
    assert log.balance == Balance(raw=4, kept=1, quarantined=2, duplicates=0, filtered_behaviors=1)
    assert [row[1:3] for row in set_aside(log)] == [(3, "outside window"), (4, "unparsable row")]


def test_a_line_cut_inside_its_fields_is_set_aside(tmp_path):
    rows = ["u,i,c,b,t", f"1,2,3,pv,{T0}", "1,2,3,p"]
    write(tmp_path / "a.csv", *rows, end="\n")
    assert set_aside(run(tmp_path / "a.csv", tmp_path / "out", ALL)) == [
        ("a.csv", 3, "unparsable row", "1,2,3,p")
    ]


def test_a_line_cut_inside_its_timestamp_is_caught_by_a_window(tmp_path):
    (tmp_path / "a.csv").write_text(f"u,i,c,b,t\n1,2,3,pv,{T0}\n1,4,3,pv,{T0}\n1,2,3,pv,15115")
    window = WindowSettings(start="2017-11-25T00:00:00+08:00")
    log = run(tmp_path / "a.csv", tmp_path / "out", ALL, window=window)
    assert set_aside(log) == [("a.csv", 4, "outside window", "1,2,3,pv,15115")]
    assert log.balance == Balance(raw=3, kept=2, quarantined=1, duplicates=0, filtered_behaviors=0)
    assert run(tmp_path / "a.csv", tmp_path / "out", ALL).balance.kept == 3


def test_a_log_of_which_nothing_is_text_is_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"u,i,t\n" + b"\xff,2,3\n" * 5)
    with pytest.raises(IngestError, match="no record passes: 5 unparsable row"):
        run(tmp_path / "a.csv", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize("fault", [duckdb.IOException, duckdb.OutOfMemoryException])
def test_a_full_disk_is_not_blamed_on_the_text(tmp_path, monkeypatch, fault):
    write(tmp_path / "a.csv", "u,i,t", f"1,2,{T0}")

    def fail(*_):
        raise fault("No space left on device")

    monkeypatch.setattr("model_code.events.ingest.survey", fail)
    with pytest.raises(IngestError, match=r"No space left on device\n.*engine\.spill_folder") as caught:
        run(tmp_path / "a.csv", tmp_path / "out")
    assert "UTF-8" not in str(caught.value)


def test_the_balance_is_checked():
    with pytest.raises(ArithmeticError, match="does not balance"):
        Balance(raw=3, kept=1, quarantined=1, duplicates=0, filtered_behaviors=0).check()


def test_same_bytes_for_any_threads_file_order_and_split_into_files(tmp_path):
    rng = random.Random(0)
    rows = [
        f"u{rng.randrange(20_000)},{rng.randrange(5000)},{T0 + rng.randrange(10_000)}" for _ in range(300_000)
    ]
    rows += rows[:500]
    contents = set()
    for case, (threads, pieces) in enumerate([(1, 1), (2, 1), (3, 7)]):
        folder = tmp_path / str(case)
        folder.mkdir()
        for piece in range(pieces):
            write(folder / f"{piece}.csv", "u,i,t", *rows[piece::pieces])
        log = run(folder, tmp_path / f"out{case}", threads=threads)
        assert log.balance.raw == 300_500
        contents.add(log.events.read_bytes())
        rng.shuffle(rows)
    assert len(contents) == 1
    frame = pd.read_parquet(log.events)
    order = frame.sort_values(["user_id", "timestamp", "item_id"], kind="stable").reset_index(drop=True)
    assert frame.equals(order)


def naive(rows, known, kept):
    """The protocol's order of checks, record by record."""
    counts = dict.fromkeys(("raw", "kept", "quarantined", "duplicates", "filtered_behaviors"), 0)
    seen, events = set(), {}
    for user, item, category, behavior, moment in rows:
        counts["raw"] += 1
        parsed = int(moment) if moment.isdigit() else None
        if (moment and parsed is None) or not (user and item and moment) or behavior not in known:
            counts["quarantined"] += 1
        elif (user, item, parsed, behavior) in seen:
            counts["duplicates"] += 1
        else:
            seen.add((user, item, parsed, behavior))
            counts["kept" if behavior in kept else "filtered_behaviors"] += 1
        if (
            (user, item, parsed, behavior) in seen
            and behavior in kept
            and user
            and item
            and parsed is not None
        ):
            events.setdefault((user, parsed * 1000, item, behavior), []).append(category)
    table = [
        (user, moment, item, behavior, min((c for c in found if c), default=None))
        for (user, moment, item, behavior), found in events.items()
    ]
    return counts, sorted(table, key=lambda row: row[:4])


ROW = st.tuples(
    st.sampled_from(["a", "b", ""]),
    st.sampled_from(["x", "y", ""]),
    st.sampled_from(["p", "q", ""]),
    st.sampled_from(["pv", "buy", "odd", ""]),
    st.sampled_from([str(T0), str(T0 + 1), "soon", ""]),
)


@given(st.lists(ROW, max_size=40), st.integers(1, 3))
@budget(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_counts_and_events_equal_a_naive_reading(tmp_path_factory, rows, threads):
    rows = [("a", "x", "p", "pv", str(T0)), *rows]  # at least one event
    folder = tmp_path_factory.mktemp("log")
    write(folder / "a.csv", "u,i,c,b,t", *(",".join(row) for row in rows))
    log = run(
        folder / "a.csv",
        folder / "out",
        ALL,
        threads,
        behaviors_known=("pv", "buy"),
        behaviors_kept=("pv",),
    )
    counts, expected = naive(rows, ("pv", "buy"), ("pv",))
    assert log.balance == Balance(**counts)
    names = ("user_id", "timestamp", "item_id", "behavior", "category_id")
    assert [tuple(event[name] for name in names) for event in events(log)] == expected
