from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from model_code.events.split import PARTS
from model_code.kernels.library import SWITCH, ready
from model_code.sequences import negatives
from model_code.sequences.data import SequenceData
from model_code.sequences.hashing import Stream, below, counter_hash
from model_code.sequences.negatives import NegativeSampler

MODES = ("block_popularity", "period_popularity", "uniform")


def sampler(data: SequenceData, part: str = "fit", seed: int = 3) -> NegativeSampler:
    return NegativeSampler.of(data, part, torch.from_numpy(data.item), seed)


def pool(data: SequenceData, part: str, row: int) -> list[int]:
    """The event positions that a sample's negatives are drawn from."""
    samples = data.parts[part]
    if data.settings.negative_sampling == "block_popularity":
        block = max(b for b, start in enumerate(samples.block_offsets[:-1]) if start <= row)
        return samples.position[samples.block_offsets[block] : samples.block_offsets[block + 1]].tolist()
    if data.settings.negative_sampling == "period_popularity":
        return samples.position.tolist()
    first = {}
    for position in samples.position.tolist():
        first.setdefault(int(data.item[position]), position)
    return [first[item] for item in sorted(first)]


def owned_items(data: SequenceData, part: str) -> dict[int, set[int]]:
    """The items of each user row in the part's period, targets or not."""
    owned: dict[int, set[int]] = {}
    users = np.repeat(np.arange(len(data.user)), np.diff(data.user_offsets))
    for event in np.flatnonzero(data.events_in(part)).tolist():
        owned.setdefault(int(users[event]), set()).add(int(data.item[event]))
    return owned


def by_hand(data: SequenceData, part: str, row: int, epoch: int, seed: int) -> list[int] | None:
    """The rule, one draw after the other."""
    samples, k = data.parts[part], data.settings.negatives_per_positive
    events = pool(data, part, row)
    taken = set(owned_items(data, part)[int(samples.user[row])])
    negatives = []
    for number in range(8 * k):
        hashed = counter_hash(Stream.NEGATIVE, seed, epoch, int(samples.position[row]), number)
        event = events[int(below(hashed, len(events)))]
        if int(data.item[event]) not in taken:
            taken.add(int(data.item[event]))
            negatives.append(event)
        if len(negatives) == k:
            return negatives
    return None


@pytest.fixture
def two_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=["", "off"], ids=["kernel", "formula"])
def way(request, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws by the kernel, and without it."""
    monkeypatch.setenv(SWITCH, request.param)


@pytest.fixture(scope="module", params=MODES)
def each_mode(request, split_log, prepare) -> SequenceData:
    return prepare(split_log, negative_sampling=request.param, negative_block=60, negatives_per_positive=4)


@pytest.fixture(scope="module")
def tight(split_log, prepare) -> SequenceData:
    """Blocks so small that many groups cannot be filled."""
    return prepare(split_log, negative_block=12, negatives_per_positive=5)


@pytest.mark.usefixtures("way")
def test_draws_equal_the_rule(each_mode: SequenceData) -> None:
    rows = torch.arange(0, len(each_mode.parts["fit"]), 17)
    negatives, filled = sampler(each_mode).draw(rows, epoch=6)
    for row, drawn, full in zip(rows.tolist(), negatives.tolist(), filled.tolist(), strict=True):
        assert by_hand(each_mode, "fit", row, 6, seed=3) == (drawn if full else None)


@pytest.mark.usefixtures("way")
def test_groups_that_cannot_be_filled_are_told(tight: SequenceData) -> None:
    rows = torch.arange(0, len(tight.parts["fit"]), 7)
    negatives, filled = sampler(tight).draw(rows, epoch=0)
    assert 0.05 < filled.float().mean() < 0.95
    for row, drawn, full in zip(rows.tolist(), negatives.tolist(), filled.tolist(), strict=True):
        assert by_hand(tight, "fit", row, 0, seed=3) == (drawn if full else None)


def test_stored_groups_leave_out_what_cannot_be_filled(tight: SequenceData) -> None:
    for part in ("validation", "test"):
        samples, counts = tight.parts[part], tight.manifest["parts"][part]
        assert len(samples) == counts["targets"] - counts["groups_dropped"] == samples.block_offsets[-1]
        assert len(samples.block_offsets) == counts["blocks"] + 1
        assert (np.diff(samples.block_offsets) >= 0).all()
    assert tight.manifest["parts"]["test"]["groups_dropped"] > 0


@pytest.mark.parametrize("part", PARTS)
def test_the_owned_items_are_those_of_the_period(
    data: SequenceData, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sampler(data, part)
    monkeypatch.setattr(negatives, "_USERS", 7)
    some = sampler(data, part)
    assert torch.equal(some.owned, whole.owned) and torch.equal(some.owned_bounds, whole.owned_bounds)
    assert whole.owned.dtype == whole.owned_bounds.dtype == torch.int32
    owned = owned_items(data, part)
    assert whole.most_owned >= max(map(len, owned.values()))
    samples = data.parts[part]
    users = torch.from_numpy(np.unique(samples.user))
    table = whole._owns(users, torch.arange(data.identities)[:, None].expand(-1, len(users)).int())
    for column, user in enumerate(users.tolist()):
        assert set(table[:, column].nonzero().squeeze(1).tolist()) == owned[user]


@pytest.mark.skipif(not ready(), reason="no kernels on this machine")
def test_the_kernel_sorts_what_numpy_does(data: SequenceData) -> None:
    r = np.random.default_rng(0)
    offsets = np.cumsum([0, *range(300), 128, 256, 5000, *[0] * 3])
    log = replace(
        data,
        item=r.integers(0, data.identities, offsets[-1], dtype=np.int32),
        timestamp=r.integers(0, 9, offsets[-1]),
    )
    for times in ((-(2**63), 2**63 - 1), (2, 5), (9, 9)):
        kernel, formula = (own(offsets, log, *times) for own in (negatives._own_by_kernel, negatives._own))
        for one, other in zip(kernel, formula, strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype


def test_the_pool_of_uniform_draws_holds_each_item_once_by_its_first_target(
    each_mode: SequenceData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(negatives, "_CHUNK", 13)
    assert sampler(each_mode).pool.tolist() == (
        pool(each_mode, "fit", 0)
        if each_mode.settings.negative_sampling == "uniform"
        else each_mode.parts["fit"].position.tolist()
    )


@pytest.mark.parametrize("draws", [1, 2, 40])
def test_values_seen_before(draws: int) -> None:
    values = torch.randint(0, 12, (draws, 50), generator=torch.Generator().manual_seed(draws))
    seen = negatives._seen_before(values)
    for column, found in zip(values.T.tolist(), seen.T.tolist(), strict=True):
        assert found == [value in column[:place] for place, value in enumerate(column)]


@pytest.mark.parametrize("part", ["validation", "test"])
def test_stored_negatives(each_mode: SequenceData, part: str) -> None:
    samples = each_mode.parts[part]
    owned = owned_items(each_mode, part)
    assert samples.negatives is not None and samples.negatives.shape == (len(samples), 4)
    for user, events in zip(samples.user, samples.negatives, strict=True):
        items = set(each_mode.item[events].tolist())
        assert len(items) == 4
        assert not items & owned[int(user)]


def test_negatives_come_from_the_block_of_the_target(data: SequenceData) -> None:
    assert data.manifest["parts"]["test"]["groups_dropped"] == 0  # so that the stored blocks are whole
    samples = data.parts["test"]
    edges = samples.block_offsets
    assert len(edges) > 2 and samples.negatives is not None
    rank = {position: row for row, position in enumerate(samples.position.tolist())}
    for row, events in enumerate(samples.negatives.tolist()):
        block = np.searchsorted(edges, row, side="right")
        assert {int(np.searchsorted(edges, rank[event], side="right")) for event in events} == {int(block)}


@pytest.mark.usefixtures("way")
def test_draws_do_not_depend_on_the_company(tight: SequenceData) -> None:
    draws, m = sampler(tight), len(tight.parts["fit"])
    negatives, filled = draws.draw(torch.arange(m), epoch=2)
    order = torch.randperm(m, generator=torch.Generator().manual_seed(0))
    for rows in order.split(37):
        some, full = draws.draw(rows, epoch=2)
        assert torch.equal(full, filled[rows])
        assert torch.equal(some[full], negatives[rows][full])


def test_seeds_and_epochs_draw_anew(data: SequenceData) -> None:
    rows = torch.arange(100)
    base, _ = sampler(data, seed=3).draw(rows, epoch=1)
    assert torch.equal(base, sampler(data, seed=3).draw(rows, epoch=1)[0])
    assert not torch.equal(base, sampler(data, seed=3).draw(rows, epoch=2)[0])
    assert not torch.equal(base, sampler(data, seed=4).draw(rows, epoch=1)[0])


@pytest.mark.skipif(not ready(), reason="no kernels on this machine")
def test_threads_of_the_kernel_draw_what_the_formula_does(
    tight: SequenceData, monkeypatch: pytest.MonkeyPatch, two_threads: None
) -> None:
    draws, m = sampler(tight), len(tight.parts["fit"])
    rows = torch.randint(m, (10_000,), generator=torch.Generator().manual_seed(0))
    negatives, filled = draws.draw(rows, epoch=3)
    for same in (rows.int(), torch.stack([rows, rows], dim=1)[:, 0]):
        again, full = draws.draw(same, epoch=3)
        assert torch.equal(full, filled) and torch.equal(again[full], negatives[full])
    monkeypatch.setenv(SWITCH, "off")
    expected, full = draws.draw(rows, epoch=3)
    assert torch.equal(full, filled) and torch.equal(expected[full], negatives[full])


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("row", [-1, 10**6])
def test_a_row_that_is_no_sample_is_an_error(row: int, tight: SequenceData) -> None:
    with pytest.raises(IndexError):
        sampler(tight).draw(torch.tensor([0, row]), epoch=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_devices_agree(tight: SequenceData) -> None:
    rows = torch.arange(len(tight.parts["fit"]))
    negatives, filled = sampler(tight).draw(rows, epoch=1)
    item = torch.from_numpy(tight.item).cuda()
    drawn, full = NegativeSampler.of(tight, "fit", item, 3).draw(rows.cuda(), epoch=1)
    assert torch.equal(full.cpu(), filled)
    assert torch.equal(drawn.cpu()[filled], negatives[filled])


@pytest.mark.parametrize("mode", MODES)
def test_first_draws_have_the_stated_distribution(mode: str, split_log, prepare) -> None:
    """With one negative, P(event) is 1 / (eligible events of the pool) for each eligible one: chi-square."""
    data = prepare(split_log, negative_sampling=mode, negative_block=150, negatives_per_positive=1)
    samples, rows, draws = data.parts["fit"], torch.arange(300), sampler(data)
    drawn, filled = (torch.stack(t) for t in zip(*(draws.draw(rows, e) for e in range(100)), strict=True))
    owned = owned_items(data, "fit")
    expected = np.zeros(len(data.item))
    for row in rows.tolist():
        taken = owned[int(samples.user[row])]
        eligible = [event for event in pool(data, "fit", row) if int(data.item[event]) not in taken]
        expected[eligible] += filled[:, row].sum().item() / len(eligible)
    counts = np.bincount(drawn[filled].flatten().numpy(), minlength=len(expected))
    assert (counts[expected == 0] == 0).all()
    assert stats.chisquare(counts[expected > 0], expected[expected > 0]).pvalue > 1e-4


def test_both_classes_have_the_item_marginal_of_their_block(make_split, prepare) -> None:
    """Total variation between positives and negatives, block by block, is bounded by two terms.

    Without exclusion the expected marginals are equal. Leaving out a user's share s of the block's events
    moves that user's distribution by s at most, hence the mean of the shares; and an empirical
    distribution over I items from N draws is off by sqrt(I / N) / 2 in expectation, doubled here.
    """
    r = np.random.default_rng(5)
    count = 12_000
    log = pd.DataFrame({"user_id": r.integers(0, 1500, count), "timestamp": r.integers(0, 10**9, count)})
    log["item_id"] = (300 * r.random(count) ** 2).astype(int) + log["timestamp"] * 200 // 10**9
    log["category_id"] = log["item_id"] % 5
    data = prepare(make_split(log), negative_block=2000, negatives_per_positive=1)
    samples, draws, epochs = data.parts["fit"], sampler(data), 20
    owned = owned_items(data, "fit")
    for start, end in zip(samples.block_offsets[:-1], samples.block_offsets[1:], strict=True):
        positive = np.bincount(data.item[samples.position[start:end]], minlength=data.identities)
        rows = torch.arange(int(start), int(end))
        drawn = torch.cat([draws.draw(rows, epoch)[0] for epoch in range(epochs)]).flatten().numpy()
        negative = np.bincount(data.item[drawn], minlength=data.identities)
        variation = np.abs(positive / positive.sum() - negative / negative.sum()).sum() / 2
        share = [positive[list(owned[int(user)])].sum() / positive.sum() for user in samples.user[start:end]]
        assert variation < np.mean(share) + np.sqrt((positive > 0).sum() / len(drawn))
