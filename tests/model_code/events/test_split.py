import math
import random
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as budget
from hypothesis import strategies as st
from pyarrow import parquet

from model_code.events.click_log import Balance, ClickLog
from model_code.events.engine import EngineSettings
from model_code.events.errors import IngestError
from model_code.events.split import SplitSettings, cut_index, split
from model_code.files import write_json
from model_code.settings import SettingsError

NAMES = ("user_id", "item_id", "category_id", "timestamp")


def make_log(folder, rows):
    """A click log of rows (user, item, category, timestamp)."""
    kinds = [pa.string() if isinstance(rows[0][0], str) else pa.int64(), pa.int64(), pa.int64(), pa.int64()]
    columns = [pa.array([row[k] for row in rows], kind) for k, kind in enumerate(kinds)]
    folder.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(dict(zip(NAMES, columns, strict=True))), folder / "events.parquet")
    balance = {"raw": len(rows) + 3, "kept": len(rows), "quarantined": 2, "duplicates": 1}
    write_json(folder / "manifest.json", {"balance": {**balance, "filtered_behaviors": 0}})
    return ClickLog(folder)


def naive(rows, minimum, test, validation):
    """The protocol, literally, with decimals as written."""
    counts = {}
    for row in rows:
        counts[row[0]] = counts.get(row[0], 0) + 1
    kept = [row for row in rows if counts[row[0]] >= minimum]
    if not kept:
        return None

    def cut(times, fraction):
        return sorted(times)[math.ceil((1 - Decimal(str(fraction))) * len(times)) - 1]

    late = cut([row[3] for row in kept], test)
    train = [row[3] for row in kept if row[3] < late]
    if not train:
        return None
    middle = cut(train, validation)
    if not any(moment < middle for moment in train):
        return None
    parts = [(*row, 2 if row[3] >= late else int(row[3] >= middle)) for row in kept]
    last = float("inf")
    parts.sort(key=lambda row: (row[0], row[3], row[1], last if row[2] is None else row[2]))
    return late, middle, parts


ROWS = st.lists(
    st.tuples(
        st.integers(-2, 4),
        st.integers(0, 3),
        st.one_of(st.none(), st.integers(0, 1)),
        st.integers(1_500_000_000_000, 1_500_000_000_012),
    ),
    min_size=1,
    max_size=60,
)


@given(ROWS, st.integers(1, 4), st.sampled_from([0.2, 0.1, 0.35]), st.sampled_from([0.1, 0.3]), st.booleans())
@budget(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_equals_a_literal_reading(tmp_path_factory, rows, minimum, test, validation, texts):
    rows = [(f"ü{row[0]}", *row[1:]) for row in rows] if texts else rows
    folder = tmp_path_factory.mktemp("log")
    settings = SplitSettings(min_interactions=minimum, test_fraction=test, validation_fraction=validation)
    log, engine = make_log(folder / "log", rows), EngineSettings(threads=1)
    expected = naive(rows, minimum, test, validation)
    if expected is None:
        with pytest.raises(IngestError):
            split(log, settings, engine, folder / "out")
        return
    late, middle, parts = expected
    found = split(log, settings, engine, folder / "out")
    manifest = found.manifest
    table = parquet.read_table(found.events)
    assert table.column_names == [*NAMES, "part"]
    assert [tuple(row.values()) for row in table.to_pylist()] == parts
    assert (manifest["split_timestamp"], manifest["validation_timestamp"]) == (late, middle)
    assert found.balance == Balance(len(rows) + 3, len(parts), 2, 1, 0, len(rows) - len(parts))
    assert manifest["users"] == len({row[0] for row in parts})
    for number, name in enumerate(("fit", "validation", "test")):
        times = [row[3] for row in parts if row[4] == number]
        counts = {"events": len(times), "first": min(times), "last": max(times)}
        assert manifest["parts"][name] == counts


def test_cut_index_is_exact_where_floats_are_not():
    assert cut_index(10, 0.7) == 2
    assert math.ceil((1 - 0.7) * 10) - 1 == 3  # what floats would give
    for count in range(1, 2000):
        assert cut_index(count, 0.2) == -(-8 * count // 10) - 1
        assert cut_index(count, 0.1) == -(-9 * count // 10) - 1
        assert cut_index(count, 0.7) == -(-3 * count // 10) - 1


def test_same_bytes_for_any_threads_and_row_order(tmp_path):
    rng = random.Random(1)
    rows = [
        (rng.randrange(9000), rng.randrange(500), rng.randrange(9), rng.randrange(10**6))
        for _ in range(300_000)
    ]
    contents = set()
    for threads in (1, 2, 3):
        log = make_log(tmp_path / str(threads), rows)
        out = split(log, SplitSettings(), EngineSettings(threads=threads), tmp_path / f"out{threads}")
        contents.add(out.events.read_bytes())
        rng.shuffle(rows)
    assert len(contents) == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(1, 1, 1, 5)] * 4, "split.min_interactions"),
        ([(1, number, 1, 5) for number in range(9)], "share the timestamp 5 ms.*source.time"),
        ([(1, number, 1, 5 + (number > 4)) for number in range(9)], "before the validation period"),
    ],
)
def test_a_log_that_cannot_be_cut_says_what_to_do(tmp_path, rows, message):
    with pytest.raises(IngestError, match=message):
        split(make_log(tmp_path / "log", rows), SplitSettings(), EngineSettings(threads=1), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "values",
    [{"min_interactions": 0}, {"test_fraction": 1.0}, {"validation_fraction": 0.0}, {"test_fraction": -0.1}],
)
def test_wrong_settings_are_named(values):
    with pytest.raises(SettingsError, match=f"split.{next(iter(values))}"):
        SplitSettings(**values)


def test_a_moment_can_be_where_the_test_period_starts(tmp_path):
    rows = [(user, item, None, 1000 * item) for user in (1, 2) for item in range(20)]
    log = make_log(tmp_path / "log", rows)
    settings = SplitSettings(test_from="1970-01-01T01:00:15+01:00", test_fraction=0.9)
    found = split(log, settings, EngineSettings(threads=1), tmp_path / "split")
    assert found.manifest["split_timestamp"] == 15_000
    assert found.manifest["parts"]["test"] == {"events": 10, "first": 15_000, "last": 19_000}
    assert found.manifest["validation_timestamp"] == 13_000


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00+00:00", "1971-01-01T00:00:00+00:00"])
def test_a_moment_without_events_on_both_sides_is_an_error(tmp_path, moment):
    log = make_log(tmp_path / "log", [(1, item, None, 1000 * item) for item in range(20)])
    with pytest.raises(IngestError, match=r"of 20 events lie before split.test_from.*both sides need some"):
        split(log, SplitSettings(test_from=moment), EngineSettings(threads=1), tmp_path / "split")


def test_a_moment_without_an_offset_is_an_error():
    with pytest.raises(SettingsError, match=r"split.test_from = '2024-01-01': should be ISO 8601"):
        SplitSettings(test_from="2024-01-01")
