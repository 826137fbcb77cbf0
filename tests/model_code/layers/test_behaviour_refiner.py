import torch
from examples import packing_of, randomise

from model_code.layers.behaviour_refiner import BehaviourRefiner
from model_code.layers.interest_heads import InterestHeads


def refined(nodes, packing):
    refiner, heads = randomise(BehaviourRefiner(8, 4)), randomise(InterestHeads(8, 4), seed=1)
    once = refiner(packing.pack(nodes), packing)
    return [packing.unpack(x) for x in (once, *heads(once, packing))]


def test_what_comes_after_an_event_does_not_change_it():
    packing = packing_of([6, 4, 1])
    nodes = torch.randn(3, 6, 8, dtype=torch.float64)
    expected = refined(nodes, packing)
    assert len(expected) == 5
    for t in range(5):
        other = nodes.clone()
        other[:, t + 1 :] = torch.randn_like(other[:, t + 1 :])
        shorter = packing_of([min(n, t + 1) for n in (6, 4, 1)])
        cut = refined(nodes[:, : t + 1], shorter)
        for before, after, alone in zip(expected, refined(other, packing), cut, strict=True):
            torch.testing.assert_close(after[:, : t + 1], before[:, : t + 1], rtol=1e-12, atol=1e-12)
            torch.testing.assert_close(alone, before[:, : t + 1], rtol=1e-12, atol=1e-12)
            assert not torch.allclose(after[:, t + 1 :], before[:, t + 1 :])


def test_heads_are_different_versions_of_the_history():
    packing = packing_of([3, 2])
    _, *versions = refined(torch.randn(2, 3, 8, dtype=torch.float64), packing)
    assert all(not torch.allclose(versions[0], other) for other in versions[1:])
