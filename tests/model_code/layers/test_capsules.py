import literal
import numpy as np
import pytest
import torch
from examples import array, close, randomise

from model_code.layers.capsules import PositionCapsules, SharedCapsules

LENGTHS = [5, 1, 0, 3]
MASK = torch.arange(5) < torch.tensor(LENGTHS)[:, None]
WIDTH, MAX_LENGTH = 4, 7
KINDS = [SharedCapsules, PositionCapsules]


def random_history():
    torch.manual_seed(2)
    return torch.randn(len(LENGTHS), 5, WIDTH, dtype=torch.float64)


@pytest.mark.parametrize("interests", [1, 3])
def test_shared_map(interests):
    layer = randomise(SharedCapsules(WIDTH, interests, MAX_LENGTH, 3), scale=1.0)
    history = random_history()
    capsules, weights = layer(history, MASK)
    for b, n in enumerate(LENGTHS):
        votes = np.array([[array(layer.bilinear.weight) @ e for e in array(history)[b, :n]]] * interests)
        expected = literal.route(votes.reshape(interests, n, WIDTH), array(layer.logits)[:, :n], 3)
        close(capsules[b], expected[0])
        close(weights[b, :, :n], expected[1])


@pytest.mark.parametrize("interests", [1, 3])
def test_map_of_each_position_and_capsule(interests):
    layer = randomise(PositionCapsules(WIDTH, interests, MAX_LENGTH, 3), scale=1.0)
    history = random_history()
    capsules, weights = layer(history, MASK)
    maps = array(layer.maps)
    for b, n in enumerate(LENGTHS):
        votes = np.zeros((interests, n, WIDTH))
        for k in range(interests):
            for i in range(n):
                votes[k, i] = maps[i, :, k * WIDTH : (k + 1) * WIDTH].T @ array(history)[b, i]
        expected = literal.route(votes, np.zeros((interests, n)), 3)
        close(capsules[b], expected[0])
        close(weights[b, :, :n], expected[1])


@pytest.mark.parametrize("kind", KINDS)
def test_neither_padding_nor_the_other_histories_matter(kind):
    layer = randomise(kind(WIDTH, 3, MAX_LENGTH, 3), scale=1.0)
    history = random_history()
    expected = layer(history, MASK).capsules
    for b, n in enumerate(LENGTHS):
        for length in range(max(n, 1), MAX_LENGTH + 1):
            one = torch.full((1, length, WIDTH), 9.0, dtype=torch.float64)
            one[0, :n] = history[b, :n]
            close(layer(one, torch.arange(length)[None] < n).capsules[0], array(expected)[b])
    assert (expected[2] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_capsules_differ(kind):
    torch.manual_seed(0)
    capsules = kind(WIDTH, 3, MAX_LENGTH, 3).double()(random_history(), MASK).capsules[0]
    assert (capsules[:, None] - capsules).norm(dim=-1)[~torch.eye(3, dtype=torch.bool)].min() > 0.01


def test_routing_logits_are_seeded_and_kept_and_leave_the_global_generator_alone():
    history = random_history().float()
    torch.manual_seed(5)
    layer = SharedCapsules(WIDTH, 3, MAX_LENGTH, 3).eval()
    torch.manual_seed(6)
    other = SharedCapsules(WIDTH, 3, MAX_LENGTH, 3)
    assert torch.equal(layer.logits, other.logits)
    assert not torch.equal(layer.bilinear.weight, other.bilinear.weight)
    assert "logits" not in dict(layer.named_parameters())

    other.logits.zero_()
    other.load_state_dict(layer.state_dict())
    state = torch.get_rng_state()
    expected = layer(history, MASK).capsules
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(7)
    assert torch.equal(other(history, MASK).capsules, expected)


def test_each_map_is_xavier_by_its_own_fan():
    torch.manual_seed(0)
    maps = PositionCapsules(16, 3, 20, 3).maps
    bound = (6 / 32) ** 0.5
    assert 0.98 * bound < maps.abs().max() <= bound
