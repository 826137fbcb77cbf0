from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
import torch

from model_code.groups import PADDING, UNKNOWN, Group
from model_code.sequences import batches
from model_code.sequences.batches import (
    FitBatches,
    ResidentLog,
    SampleTensors,
    gather,
    scoring_batches,
    scoring_rows,
)
from model_code.sequences.data import Samples, SequenceData
from model_code.sequences.forgetting import Forgetting
from model_code.sequences.negatives import NegativeSampler

NOTHING = {"unknown_rate": 0.0, "unknown_category_rate": 0.0}


@pytest.fixture(scope="module")
def tight(split_log, prepare) -> SequenceData:
    """A log with groups that cannot be filled."""
    return prepare(split_log, negative_block=12, negatives_per_positive=5, max_length=6)


def passes(data: SequenceData, size: int = 7, **values: object) -> FitBatches:
    return FitBatches(data, ResidentLog.of(data), groups_per_batch=size, seed=5, **values)


def joined(groups: Iterable[Group]) -> Group:
    return Group(*(torch.cat(fields) for fields in zip(*groups, strict=True)))


def order(fit: FitBatches, number: int) -> torch.Tensor:
    return torch.cat(list(fit._order(number)))


def same(left: Group, right: Group) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


def test_gather_equals_loops(data: SequenceData) -> None:
    samples, size = data.parts["test"], data.sizes
    group = joined(scoring_batches(data, ResidentLog.of(data), "test", groups_per_batch=10))
    assert samples.negatives is not None
    for row in range(len(samples)):
        events = list(range(samples.history_start[row], samples.history_end[row]))
        candidates = [samples.position[row], *samples.negatives[row]]
        padding = [PADDING] * (data.settings.max_length - len(events))
        for code, top, history, candidate in (
            (data.item, size.items, group.history_item, group.candidate_item),
            (data.category, size.categories, group.history_category, group.candidate_category),
        ):
            seen = [c if c < top else UNKNOWN for c in code[events].tolist()]
            assert history[row].tolist() == seen + padding
            assert candidate[row].tolist() == [c if c < top else UNKNOWN for c in code[candidates].tolist()]
        assert group.length[row] == len(events)
        assert group.user[row] == data.user[samples.user[row]]
    assert (group.candidate_item == UNKNOWN).any() and (group.user == UNKNOWN).any()
    assert all(field.dtype == torch.int64 for field in group)
    assert group.mask.sum() == group.length.sum()


def test_a_shorter_history_is_the_most_recent_events(data: SequenceData) -> None:
    log = ResidentLog.of(data)
    shorter = 2
    whole = joined(scoring_batches(data, log, "test", groups_per_batch=10))
    group = joined(scoring_batches(data, replace(log, max_length=shorter), "test", groups_per_batch=10))
    assert (whole.length > shorter).any() and (whole.length < shorter).any()
    for row, length in enumerate(whole.length.tolist()):
        for long, short in (
            (whole.history_item, group.history_item),
            (whole.history_category, group.history_category),
        ):
            latest = long[row, :length].tolist()[-shorter:]
            assert short[row].tolist() == latest + [PADDING] * (shorter - len(latest))
        assert group.length[row] == min(length, shorter)
    assert torch.equal(group.candidate_item, whole.candidate_item)
    assert torch.equal(group.candidate_category, whole.candidate_category)


def test_no_slot_reaches_beyond_the_log(data: SequenceData) -> None:
    last = np.array([len(data.item) - 1], dtype=np.int32)
    samples = Samples(last, data.parts["test"].user[:1], last - 1, last, np.array([0, 1]))
    position = torch.from_numpy(last)
    group = gather(ResidentLog.of(data), SampleTensors.of(samples, position.device), position[:, None])
    assert group.length.tolist() == [1]
    assert (group.history_item[0, 1:] == PADDING).all() and (group.history_category[0, 1:] == PADDING).all()


def test_scoring_is_in_the_order_of_its_rows_for_any_batch_size(data: SequenceData) -> None:
    log, samples = ResidentLog.of(data), data.parts["validation"]
    whole = joined(scoring_batches(data, log, "validation", 1000))
    few = list(scoring_batches(data, log, "validation", 8, limit=30))
    rows = scoring_rows(samples, 30, data.settings.seed)
    assert [len(group.user) for group in few] == [8, 8, 8, 6]
    assert same(joined(few), Group(*(field[rows] for field in whole)))
    assert len(set(rows.tolist())) == 30 and rows.tolist() == sorted(rows.tolist())
    assert len(scoring_rows(samples, None, 0)) == len(samples) == len(whole.user)
    assert same(joined(scoring_batches(data, log, "validation", 10**6)), whole)


def test_fit_groups_have_no_stored_negatives_to_score(data: SequenceData) -> None:
    with pytest.raises(ValueError, match="'fit'"):
        next(scoring_batches(data, ResidentLog.of(data), "fit", 4))


def test_a_pass_holds_each_sample_once_with_the_negatives_of_the_sampler(data: SequenceData) -> None:
    fit = passes(data, **NOTHING)
    group = joined(fit.epoch(2))
    rows = order(fit, 2)
    assert sorted(rows.tolist()) == list(range(len(data.parts["fit"])))
    negatives, filled = NegativeSampler.of(data, "fit", torch.from_numpy(data.item), 5).draw(rows, epoch=2)
    assert filled.all() and fit.dropped == 0
    samples = fit.samples.take(rows)
    candidate = torch.cat([samples.position[:, None], negatives], dim=1)
    assert same(group, gather(fit.resident, samples, candidate))


@pytest.mark.parametrize("log", ["data", "tight"])
def test_groups_depend_on_neither_batch_size_nor_chunk(
    log: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = request.getfixturevalue(log)
    whole = joined(passes(data, size=26).epoch(1))
    assert same(joined(passes(data, size=3).epoch(1)), whole)
    monkeypatch.setattr(batches, "_CHUNK", 50)
    assert same(joined(passes(data, size=26).epoch(1)), whole)


def test_all_batches_but_the_last_are_full_when_groups_are_dropped(
    tight: SequenceData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_CHUNK", 50)
    fit = passes(tight)
    sizes = [len(group.user) for group in fit.epoch(0)]
    assert fit.dropped > 50
    assert sum(sizes) == len(tight.parts["fit"]) - fit.dropped
    assert set(sizes[:-1]) == {7} and 0 < sizes[-1] <= 7
    assert len(sizes) <= fit.batches_per_epoch == -(-len(tight.parts["fit"]) // 7)


def test_no_batch_is_empty(data: SequenceData) -> None:
    m = len(data.parts["fit"])
    size = next(number for number in range(2, m) if m % number == 0)
    assert [len(group.user) for group in passes(data, size=size).epoch(0)] == [size] * (m // size)


@pytest.mark.parametrize("start", [0, 1, 13, 40])
def test_resuming_gives_the_remaining_batches(
    tight: SequenceData, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_CHUNK", 50)
    whole = list(passes(tight).epoch(3))
    rest = list(passes(tight).epoch(3, start_batch=start))
    assert len(rest) == len(whole) - start > 0
    assert all(map(same, rest, whole[start:]))


def test_passes_and_seeds_differ_and_repeat(data: SequenceData) -> None:
    log = ResidentLog.of(data)
    base = joined(passes(data).epoch(0))
    assert same(base, joined(passes(data).epoch(0)))
    assert not same(base, joined(passes(data).epoch(1)))
    assert not same(base, joined(FitBatches(data, log, groups_per_batch=7, seed=6).epoch(0)))


def test_short_passes_go_through_all_samples_before_any_comes_twice(data: SequenceData) -> None:
    m = len(data.parts["fit"])
    fit = passes(data, samples_per_epoch=m * 2 // 5)
    rows = torch.cat([order(fit, number) for number in range(6)])
    for start in (0, m):
        assert sorted(rows[start : start + m].tolist()) == list(range(m))
    assert not torch.equal(rows[:m], rows[m : 2 * m])
    assert sum(len(group.user) for group in fit.epoch(1)) == m * 2 // 5
    assert passes(data, samples_per_epoch=10 * m).samples_per_epoch == m


def identities(fit: FitBatches, epoch: int) -> tuple[np.ndarray, np.ndarray]:
    """Item and category codes (groups, L + C) of a pass of a log without dropped groups; -1 pads."""
    rows = order(fit, epoch)
    negatives, _ = fit.sampler.draw(rows, epoch)
    samples = fit.samples.take(rows)
    slot = torch.arange(fit.resident.max_length)
    event = samples.history_start[:, None] + slot
    valid = event < samples.history_end[:, None]
    events = torch.cat([event.where(valid, 0), samples.position[:, None], negatives], dim=1)
    valid = torch.cat([valid, torch.ones_like(negatives[:, :1]).bool(), negatives >= 0], dim=1)
    return tuple(
        torch.where(valid, codes[events], -1).numpy() for codes in (fit.resident.item, fit.resident.category)
    )


def test_ids_turn_unknown_at_their_rates_all_over_a_group(data: SequenceData) -> None:
    fit = passes(data, unknown_rate=0.2, unknown_category_rate=0.05)
    chosen = {"item": [0, 0], "category": [0, 0], "user": [0, 0]}
    for epoch in range(5):
        group = joined(fit.epoch(epoch))
        item = torch.cat([group.history_item, group.candidate_item], dim=1).numpy()
        category = torch.cat([group.history_category, group.candidate_category], dim=1).numpy()
        true_item, true_category = identities(fit, epoch)
        for name, seen, true in (("item", item, true_item), ("category", category, true_category)):
            assert ((seen == true) | (seen == UNKNOWN) | (true < 0)).all()
            for got, was in zip(seen, true, strict=True):
                for code in set(was.tolist()) - {-1, UNKNOWN}:
                    fates = set((got[was == code] == UNKNOWN).tolist())
                    assert len(fates) == 1
                    chosen[name][fates == {True}] += 1
        unknown = int((group.user == UNKNOWN).sum())
        chosen["user"][0] += len(group.user) - unknown
        chosen["user"][1] += unknown
    for name, rate in (("item", 0.2), ("category", 0.05), ("user", 0.2)):
        kept, lost = chosen[name]
        assert abs(lost - rate * (kept + lost)) < 5 * np.sqrt(rate * (1 - rate) * (kept + lost))


def test_forgetting_is_drawn_for_each_group_epoch_and_kind_alone() -> None:
    position, code = torch.arange(4000), torch.full((4000, 1), 9)
    base = Forgetting(0.5, 0.5, 0.5, seed=1, epoch=0)
    fates = [
        base.items(position, code),
        base.categories(position, code),
        base.users(position, code[:, 0])[:, None],
        base._replace(epoch=1).items(position, code),
        base._replace(seed=2).items(position, code),
        base.items(position, code + 1),
        base.items(position, code + 2),
        base.items(position, 2 * code),
        base.items(position, code + 1_000_000),
        base.items(position + 1, code),
    ]
    together = np.corrcoef(torch.cat(fates, dim=1).numpy().T)
    assert np.abs(together - np.eye(len(fates))).max() < 5 / np.sqrt(4000)


def test_as_many_items_of_a_group_turn_unknown_as_of_independent_draws() -> None:
    groups, items, rate = 20_000, 60, 0.1
    forgetting = Forgetting(rate, 0.0, 0.0, seed=1, epoch=0)
    count = (
        forgetting.items(torch.arange(groups), torch.arange(2, 2 + items).expand(groups, -1)).sum(1).double()
    )
    variance = items * rate * (1 - rate)
    assert abs(count.mean() - items * rate) < 5 * np.sqrt(variance / groups)
    deviation = (count - items * rate) ** 2
    assert abs(deviation.mean() - variance) < 5 * deviation.std() / np.sqrt(groups)


def test_a_rate_of_zero_changes_nothing_and_of_one_all(data: SequenceData) -> None:
    plain = joined(passes(data, **NOTHING).epoch(0))
    assert (plain.candidate_item >= 2).all() and (plain.user >= 2).all()
    blank = joined(passes(data, unknown_rate=1.0, unknown_category_rate=1.0).epoch(0))
    assert (blank.candidate_item == UNKNOWN).all() and (blank.user == UNKNOWN).all()
    assert ((blank.history_item == UNKNOWN) == blank.mask).all()
    assert (blank.candidate_category == UNKNOWN).all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_devices_give_equal_batches(tight: SequenceData) -> None:
    there = FitBatches(tight, ResidentLog.of(tight, "cuda"), groups_per_batch=7, seed=5).epoch(1)
    assert same(joined(passes(tight).epoch(1)), Group(*(field.cpu() for field in joined(there))))
    scored = joined(scoring_batches(tight, ResidentLog.of(tight, "cuda"), "test", 9))
    expected = joined(scoring_batches(tight, ResidentLog.of(tight), "test", 9))
    assert same(expected, Group(*(field.cpu() for field in scored)))


def test_training_needs_no_engine() -> None:
    code = "import sys, model_code.sequences.batches; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"ibis", "duckdb", "pandas", "pydantic"} & set(loaded)
