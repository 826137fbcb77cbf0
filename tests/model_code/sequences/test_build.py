from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model_code.events.split import PARTS, SplitLog
from model_code.kernels.library import SWITCH
from model_code.sequences import build
from model_code.sequences.data import EVENT_ARRAYS, SequenceData, period


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_events_are_those_of_the_log(data: SequenceData, events: pd.DataFrame) -> None:
    np.testing.assert_array_equal(data.timestamp, events["timestamp"])
    rows = events["user_id"].rank(method="dense").astype(int) - 1
    np.testing.assert_array_equal(np.repeat(np.arange(len(data.user)), np.diff(data.user_offsets)), rows)
    assert data.manifest["events"] == len(events)
    assert data.manifest["users"] == events["user_id"].nunique()


def test_no_target_or_history_reaches_over_its_time(data: SequenceData) -> None:
    for part in PARTS:
        samples = data.parts[part]
        first, end = period(data.manifest, part)
        at = data.timestamp[samples.position]
        assert len(samples) > 0
        assert (first <= at).all() and (at < end).all()
        assert (data.timestamp[samples.history_end - 1] < at).all()
        assert (samples.history_end > samples.history_start).all()
        assert (samples.history_start >= data.user_offsets[samples.user]).all()
        assert (np.diff(at) >= 0).all()


def test_parts_share_no_target_and_fit_holds_no_later_event(data: SequenceData) -> None:
    positions = [data.parts[part].position for part in PARTS]
    assert len(np.unique(np.concatenate(positions))) == sum(map(len, positions))
    cut = data.manifest["validation_timestamp"]
    fit = data.parts["fit"]
    assert data.timestamp[np.concatenate([fit.position, fit.history_end - 1])].max() < cut
    assert (data.item[fit.position] < data.sizes.items).all()


def test_counts(data: SequenceData, events: pd.DataFrame, split_log) -> None:
    earliest = events.groupby("user_id")["timestamp"].transform("min")
    for many, one in (("users", "user_id"), ("items", "item_id"), ("categories", "category_id")):
        assert data.manifest[many] == events[one].nunique()
    cuts = [split_log.manifest[name] for name in ("validation_timestamp", "split_timestamp")]
    part = np.searchsorted(cuts, events["timestamp"], side="right")
    for number, name in enumerate(PARTS):
        counts = data.manifest["parts"][name]
        assert counts["events"] == (part == number).sum()
        assert counts["targets"] == ((part == number) & (events["timestamp"] > earliest)).sum()
        assert counts["targets"] - counts.get("groups_dropped", 0) == len(data.parts[name])
        assert counts["blocks"] == max(1, round(counts["targets"] / data.settings.negative_block))
        assert data.parts[name].block_offsets[-1] == len(data.parts[name])


@pytest.mark.parametrize("strings", [False, True])
def test_bytes_depend_on_neither_threads_nor_chunks(
    strings: bool,
    events: pd.DataFrame,
    make_split,
    prepare,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if strings:
        events = events.assign(**{key: events[key].astype(str) for key in ("user_id", "item_id")})
    values = {"max_length": 5, "negatives_per_positive": 3, "negative_block": 200}
    prepare(make_split(events), threads=1, out=tmp_path / "one", **values)
    monkeypatch.setattr(build, "_BATCH", 101)
    monkeypatch.setenv(SWITCH, "off")
    prepare(make_split(events, row_group=97), threads=3, out=tmp_path / "two", **values)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


@pytest.mark.parametrize(("batch", "row_group"), [(3, None), (1_000_000, None), (1_000_000, 3)])
@pytest.mark.parametrize("texts", [False, True])
@pytest.mark.parametrize("place", range(1, 8))
def test_rows_out_of_order_are_an_error(
    place: int,
    texts: bool,
    batch: int,
    row_group: int | None,
    make_split,
    prepare,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = pd.DataFrame(
        {
            "user_id": [1, 1, 1, 1, 1, 2, 2, 2],
            "timestamp": [1, 2, 2, 2, 2, 1, 5, 9],
            "item_id": [5, 3, 5, 5, 5, 7, 1, 1],
            "category_id": pd.array([3, 3, 2, 4, None, 3, 3, None], dtype="Int64"),
        }
    )
    if texts:
        log = log.astype({"user_id": str, "item_id": str, "category_id": "string"})
    monkeypatch.setattr(build, "_BATCH", batch)
    order = np.arange(8)
    order[[place - 1, place]] = place, place - 1
    split = make_split(log, (3, 6), order, row_group)
    with pytest.raises(ValueError, match="not in order of user_id, timestamp, item_id, category_id; split"):
        prepare(split, out=tmp_path / "log", negatives_per_positive=1)
    with pytest.raises(ValueError, match="can be filled"):  # the log is too small, but in order
        prepare(make_split(log, (3, 6), row_group=row_group), out=tmp_path / "log", negatives_per_positive=1)
    assert list(tmp_path.iterdir()) == []


def test_in_memory_equals_mapped(split_log, prepare, tmp_path: Path) -> None:
    mapped = prepare(split_log, out=tmp_path / "log", negatives_per_positive=2)
    loaded = SequenceData.load(tmp_path / "log", mmap=False)
    for name in EVENT_ARRAYS:
        assert isinstance(getattr(mapped, name), np.memmap)
        assert not isinstance(getattr(loaded, name), np.memmap)
        np.testing.assert_array_equal(getattr(mapped, name), getattr(loaded, name))
    assert loaded.parts["fit"].negatives is None
    np.testing.assert_array_equal(loaded.parts["test"].negatives, mapped.parts["test"].negatives)
    assert loaded.settings == mapped.settings
    assert loaded.shape.item_count.tolist() == loaded.item_count.tolist()
    assert (loaded.shape.sizes, loaded.shape.max_length) == (mapped.sizes, 20)


def test_a_part_outside_its_period_is_an_error(
    events: pd.DataFrame, make_split, prepare, tmp_path: Path
) -> None:
    split = make_split(events)
    manifest = split.path / "manifest.json"
    cut = split.manifest["split_timestamp"]
    manifest.write_text(manifest.read_text().replace(str(cut), str(cut + 5000)))
    with pytest.raises(
        ValueError, match=r"an event at .* is in test, but in validation by .* split the log again"
    ):
        prepare(split, out=tmp_path / "log")
    assert list(tmp_path.iterdir()) == []


def test_a_fit_part_without_samples_is_an_error(make_split, prepare, tmp_path: Path) -> None:
    log = pd.DataFrame({"user_id": [1, 1, 2], "item_id": [1, 2, 3], "category_id": 0, "timestamp": [5, 5, 9]})
    with pytest.raises(ValueError, match="no user has two events at different times"):
        prepare(make_split(log, cuts=(7, 8)), out=tmp_path / "log")
    assert list(tmp_path.iterdir()) == []


def test_dropped_groups_of_the_fit_part_are_those_of_a_draw(split_log, prepare) -> None:
    counts = prepare(split_log, negative_block=12, negatives_per_positive=5).manifest["parts"]["fit"]
    assert "groups_dropped" not in counts  # each epoch of training drops others
    assert counts["sampled_groups"] == counts["targets"]
    assert 0 < counts["sampled_groups_dropped"] < counts["targets"]


def small_log() -> pd.DataFrame:
    """Two users with two items of their own in each part: each part has groups of one negative."""
    log = pd.DataFrame({"user_id": [1, 2] * 6, "timestamp": range(12), "item_id": range(12)})
    return log.assign(category_id=pd.Series([None] * 12, dtype="Int64"))


def test_a_log_without_any_category_is_prepared(make_split, prepare) -> None:
    data = prepare(make_split(small_log(), cuts=(4, 8)), negatives_per_positive=1)
    assert data.sizes == (6, 2, 4)
    assert set(data.category) == {1}
    assert [len(data.parts[part]) for part in PARTS] == [2, 4, 4]


@pytest.mark.parametrize(
    ("cuts", "values", "problem"),
    [
        ((4, 12), {}, "part test can be filled: 0 targets"),
        ((8, 8), {}, "part validation can be filled: 0 targets"),
        ((4, 8), {"negative_block": 1}, "sequences.negative_block = 1"),
        ((4, 8), {"negatives_per_positive": 3}, "sequences.negatives_per_positive = 3"),
        ((3, 7), {}, "part fit can be filled: 1 targets"),
    ],
)
def test_a_part_without_a_group_is_an_error(
    cuts, values, problem: str, make_split, prepare, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=problem):
        prepare(make_split(small_log(), cuts), out=tmp_path / "log", **{"negatives_per_positive": 1} | values)
    assert list(tmp_path.iterdir()) == []


def test_an_event_without_item_is_an_error(make_split, prepare, tmp_path: Path) -> None:
    log = small_log().astype({"item_id": "Int64"})
    log.loc[3, "item_id"] = None
    with pytest.raises(ValueError, match="12 events, but 12 have a user and 11 an item"):
        prepare(make_split(log, cuts=(4, 8)), out=tmp_path / "log", negatives_per_positive=1)


def test_a_split_log_below_a_folder_called_like_a_column_is_read_as_it_is(
    events: pd.DataFrame, make_split, prepare, tmp_path: Path
) -> None:
    split = make_split(events)
    moved = tmp_path / "item_id=7"
    split.path.rename(moved)
    data = prepare(SplitLog(moved), negatives_per_positive=2)
    assert data.manifest["identities"]["items"] == events["item_id"].nunique() + 2


def test_events_that_only_categories_tell_apart_are_in_order_of_their_codes(make_split, prepare) -> None:
    tied = pd.DataFrame(
        {
            "user_id": [1, 1, 1, 1, 2, 2, 2],
            "timestamp": [2, 2, 2, 3, 3, 3, 3],
            "item_id": [4, 4, 4, 4, 4, 4, 5],
            "category_id": pd.array([5, 9, None, 9, 9, None, None], dtype="Int64"),
        }
    )
    log = pd.concat([tied, small_log().assign(category_id=9, timestamp=range(4, 16))])
    data = prepare(make_split(log, cuts=(8, 12)), negatives_per_positive=1)
    rows = np.flatnonzero(data.timestamp < 4)
    unknown, nine, five = 1, 2, 3  # the more frequent one comes first
    assert data.category[rows].tolist() == [unknown, nine, five, nine, unknown, nine, unknown]
