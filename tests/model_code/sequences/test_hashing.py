from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats

from model_code.sequences.hashing import below, counter_hash, happens, pairwise_hash, permuted

MASK = 2**64 - 1


def reference(*counters: int) -> int:
    """SplitMix64 in unbounded integers, its state after each counter being its output."""
    state = 0
    for counter in counters:
        z = (state + (counter + 1) * 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        state = z ^ (z >> 31)
    return state - 2**64 if state >= 2**63 else state


def p_value(counts: np.ndarray) -> float:
    return float(stats.chisquare(counts.ravel()).pvalue)


@pytest.mark.parametrize("counters", [(0,), (1, 2, 3), (2**63 - 1, 0), (5, 10**12, 7, 0)])
def test_equals_splitmix64_in_exact_arithmetic(counters: tuple[int, ...]) -> None:
    assert int(counter_hash(*counters)) == reference(*counters)
    assert int(counter_hash(*(torch.tensor([c]) for c in counters))) == reference(*counters)


def test_first_output_of_the_published_generator() -> None:
    assert int(counter_hash(0)) & MASK == 0xE220A8397B1DCDAF  # SplitMix64 seeded with 0


def test_counters_broadcast_and_small_integer_types_do_not_overflow() -> None:
    rows, columns = torch.arange(3, dtype=torch.int32)[:, None], torch.arange(4)
    table = counter_hash(9, rows, columns)
    assert table.dtype == torch.int64
    assert table.tolist() == [[reference(9, r, c) for c in range(4)] for r in range(3)]


@pytest.mark.parametrize("size", [2, 97, 1000])
def test_draws_are_uniform(size: int) -> None:
    drawn = below(counter_hash(1, 2, torch.arange(200_000)), size)
    assert p_value(np.bincount(drawn.numpy(), minlength=size)) > 1e-4


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_neighbouring_counters_are_independent(axis: int) -> None:
    counter = torch.arange(200_000)
    pair = []
    for step in (0, 1):
        counters: list[int | torch.Tensor] = [4, 4, 4]
        counters[axis] = counter + step
        pair.append(below(counter_hash(*counters), 16).numpy())
    assert p_value(np.bincount(pair[0] * 16 + pair[1], minlength=256)) > 1e-4


def test_every_bit_flips_half_of_the_time_when_a_counter_moves_by_one() -> None:
    counter = torch.arange(20_000)
    flipped = (counter_hash(7, counter) ^ counter_hash(7, counter + 1)).numpy().view(np.uint64)
    share = [float(((flipped >> np.uint64(bit)) & np.uint64(1)).mean()) for bit in range(64)]
    assert np.abs(np.array(share) - 0.5).max() < 5 * 0.5 / np.sqrt(20_000)


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.1, 1.0])
def test_happens_at_the_rate(rate: float) -> None:
    count = int(happens(counter_hash(3, torch.arange(100_000)), rate).sum())
    assert abs(count - rate * 100_000) <= 5 * np.sqrt(rate * (1 - rate) * 100_000)


@pytest.mark.parametrize("pair", [(2, 3), (2, 4), (7, 14), (5, 2**31 - 1), (1000, 1_000_000)])
def test_pairwise_hashes_of_two_codes_are_independent_over_the_functions(pair: tuple[int, int]) -> None:
    hashed = pairwise_hash(torch.tensor(pair, dtype=torch.int32), 8, torch.arange(200_000)[:, None])
    left, right = ((hashed >> 60) + 8).T.numpy()
    assert p_value(np.bincount(left * 16 + right, minlength=256)) > 1e-4


def test_pairwise_hashes_equal_exact_arithmetic() -> None:
    code = torch.tensor([0, 1, 7, 2**31 - 1], dtype=torch.int32)
    hashed = pairwise_hash(code, 4, torch.tensor([[9]]))
    factor, term = reference(4, 9), reference(4, 9, -1)
    assert [value & MASK for value in hashed[0].tolist()] == [
        (factor * c + term) & MASK for c in code.tolist()
    ]


def test_a_permutation_holds_each_place_once() -> None:
    for size in (*range(1, 150), 10_000, 10_001, 123_456):
        assert permuted(torch.arange(size), size, 1, size).sort().values.tolist() == list(range(size))


def test_a_part_of_a_permutation_is_that_of_the_whole() -> None:
    place = torch.arange(5000)
    whole = permuted(place, 5000, 3, 4)
    assert torch.equal(place, torch.arange(5000))
    assert torch.equal(torch.cat([permuted(some, 5000, 3, 4) for some in place.split(77)]), whole)


def test_each_place_goes_everywhere_alike() -> None:
    images = torch.stack([permuted(torch.arange(11), 11, key) for key in range(1000)]).numpy()
    for place in range(11):
        assert p_value(np.bincount(images[:, place], minlength=11)) > 1e-4


@pytest.mark.parametrize("size", [90_000, 100_003])  # a square, and a prime
@pytest.mark.parametrize("step", [1, 2, 300, 317])  # 300 and 317 are the sides of their squares
def test_neighbouring_places_part_ways(size: int, step: int) -> None:
    image = permuted(torch.arange(size), size, 5).numpy()
    left, right = image[:-step] * 16 // size, image[step:] * 16 // size
    assert p_value(np.bincount(left * 16 + right, minlength=256)) > 1e-4
    assert p_value(np.bincount((image[step:] - image[:-step]) % size * 64 // size, minlength=64)) > 1e-4
    assert abs(np.corrcoef(image, np.arange(size))[0, 1]) < 5 / np.sqrt(size)


def test_permutations_agree_no_more_often_than_by_chance() -> None:
    base = [permuted(torch.arange(997), 997, 6, key) for key in range(201)]
    equal = sum(int((one == other).sum()) for one, other in pairwise(base))
    assert abs(equal - 200) < 5 * np.sqrt(200)  # one place of each pair, about as Poisson's
