from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from model_code.events.split import PARTS
from model_code.kernels.library import SWITCH, ready
from model_code.sequences import samples
from model_code.sequences.data import Samples, index_type
from model_code.sequences.samples import cut_blocks, make_samples
from model_code.sequences.settings import SequenceSettings

TIMES = st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=12).map(sorted), min_size=1, max_size=8)


def by_hand(
    users: list[list[int]], cuts: dict[str, int], length: int
) -> dict[str, list[tuple[int, int, list[int]]]]:
    """(position, user row, history positions) of each part's samples in order, by loops."""
    found: dict[str, list[tuple[int, int, int, list[int]]]] = {part: [] for part in PARTS}
    offset = 0
    for row, times in enumerate(users):
        for index, time in enumerate(times):
            history = [offset + i for i, earlier in enumerate(times) if earlier < time][-length:]
            late = (time >= cuts["validation_timestamp"]) + (time >= cuts["split_timestamp"])
            if history:
                found[PARTS[late]].append((time, row, offset + index, history))
        offset += len(times)
    return {part: [(p, row, history) for _, row, p, history in sorted(rows)] for part, rows in found.items()}


@pytest.mark.parametrize("switch", ["", "off"], ids=["kernel", "formula"])
@pytest.mark.parametrize("unit", [1, 2**40, 2**59])  # a bucket has a time, 2**32, or too many
@pytest.mark.parametrize("at_once", [1, 7, samples._EVENTS])
@budget(deadline=None, max_examples=40)
@given(users=TIMES, cuts=st.tuples(st.integers(0, 12), st.integers(0, 12)), length=st.integers(1, 5))
def test_samples_equal_loops(
    users: list[list[int]], cuts: tuple[int, int], length: int, at_once: int, unit: int, switch: str
) -> None:
    named = {"validation_timestamp": unit * min(cuts), "split_timestamp": unit * max(cuts)}
    users = [[unit * time for time in times] for times in users]
    timestamp = np.concatenate(users).astype(np.int64)
    offsets = np.cumsum([0, *map(len, users)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "_EVENTS", at_once)
        patch.setattr(samples, "_MOST_RECORDS", at_once)
        patch.setattr(samples, "_BUCKET", at_once)
        patch.setenv(SWITCH, switch)
        with tempfile.TemporaryDirectory() as folder:
            made = make_samples(timestamp, offsets, named, SequenceSettings(max_length=length), Path(folder))
    for part, expected in by_hand(users, named, length).items():
        found = made[part]
        ranges = zip(found.history_start, found.history_end, strict=True)
        histories = [list(range(start, end)) for start, end in ranges]
        assert list(zip(found.position, found.user, histories, strict=True)) == expected
        for array in (found.position, found.user, found.history_start, found.history_end):
            assert array.dtype == np.int32


@pytest.mark.skipif(not ready(), reason="no kernels on this machine")
@pytest.mark.parametrize("earliest", [0, -(2**63)])
@pytest.mark.parametrize("most", [1000, samples._MOST_RECORDS])
def test_the_kernel_finds_what_numpy_does(
    earliest: int, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "_MOST_RECORDS", most)
    r = np.random.default_rng(0)
    counts = r.integers(1, 200, 2000)
    timestamp = np.concatenate(
        [np.sort(r.integers(0, 50_000, count) * 1000 + r.integers(2, size=count)) for count in counts]
    )
    log = earliest + timestamp, np.cumsum([0, *counts])
    for times in ((0, 50_000_000), (7_000_000, 9_000_000), (9_000_000, 9_000_000), (60_000_000, 50_000_000)):
        made = []
        for find in (samples._targets, samples._targets_by_kernel):
            folder = tmp_path / f"{times} {find.__name__}"
            create = partial(Samples.create, folder, np.int32)
            period = [earliest + time for time in times]
            find(*log, *period, 9, lambda count, create=create: create(np.array([0, count])))
            made.append({path.name: path.read_bytes() for path in folder.iterdir()})
        assert made[0] == made[1]


def test_rounds_hold_all_buckets_with_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "_MOST_RECORDS", 10)
    found = samples._rounds(np.array([0, 5, 5, 0, 99, 1, 0, 9, 1, 0, 0]))
    assert found == [
        (range(4), range(10)),
        (range(4, 5), range(10, 109)),
        (range(5, 8), range(109, 119)),
        (range(8, 11), range(119, 120)),
    ]
    assert samples._rounds(np.array([3, 99, 0, 0])) == [(range(1), range(3)), (range(1, 2), range(3, 102))]
    assert samples._rounds(np.array([0, 0])) == []


def test_indices_are_as_wide_as_the_log_needs() -> None:
    for count in (0, 1, 2**31 - 1):
        assert count <= np.iinfo(index_type(count)).max == 2**31 - 1
    assert index_type(2**31) is np.int64


@pytest.mark.parametrize(
    ("count", "size", "blocks"),
    [(0, 10, 1), (3, 10, 1), (14, 10, 1), (16, 10, 2), (100, 10, 10), (104, 10, 10), (107, 10, 11)],
)
def test_blocks_are_of_nearly_equal_size(count: int, size: int, blocks: int) -> None:
    offsets = cut_blocks(count, size)
    sizes = np.diff(offsets)
    assert (offsets[0], offsets[-1], len(sizes)) == (0, count, blocks)
    assert sizes.max() - sizes.min() <= 1


def test_saving_leaves_what_was_made_there_and_replaces_the_rest(tmp_path: Path) -> None:
    made = Samples.create(tmp_path / "part", np.int32, np.array([0, 4]))
    for array in (made.position, made.user, made.history_start, made.history_end):
        array[:] = range(4)
    inode = (tmp_path / "part" / "user.npy").stat().st_ino
    first = made.position[:2]  # part of a file is not the file
    replace(made, position=first, history_end=made.history_end + 1).save(tmp_path / "part")
    found = Samples.load(tmp_path / "part")
    assert (found.position.tolist(), found.history_end.tolist()) == ([0, 1], [1, 2, 3, 4])
    assert (found.user.tolist(), made.history_end.tolist()) == ([0, 1, 2, 3],) * 2
    assert (tmp_path / "part" / "user.npy").stat().st_ino == inode
