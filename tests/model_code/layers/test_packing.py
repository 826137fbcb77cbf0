import pytest
import torch
from examples import packing_of

LENGTHS = [3, 0, 1, 4]


@pytest.fixture(params=[False, True], ids=["packed", "dense"])
def packing(request):
    return packing_of(LENGTHS, dense=request.param)


def test_pack_leaves_out_padding_and_unpack_brings_it_back():
    packing = packing_of(LENGTHS)
    vectors = torch.randn(2, 4, 4, 5)
    packed = packing.pack(vectors)
    assert torch.equal(packed, vectors[:, packing.mask])
    assert torch.equal(packing.unpack(packed), vectors * packing.mask[..., None])
    assert torch.equal(packing.unpack(packed, 7.0)[:, ~packing.mask], torch.full((2, 8, 5), 7.0))


def test_spread_repeats_what_is_a_groups_and_collect_sums_it(packing):
    vectors = torch.randn(4, 2, 3, dtype=torch.float64)
    spread = packing.spread(vectors)
    padded = packing.unpack(spread.flatten(1))
    for b, n in enumerate(LENGTHS):
        assert torch.equal(padded[b, :n], vectors[b].flatten().expand(n, -1))
    other = torch.randn_like(spread)
    torch.testing.assert_close((spread * other).sum(), (vectors * packing.collect(other)).sum())  # transposed


def test_spread_is_new_memory(packing):
    vectors = torch.zeros(4, 3)
    packing.spread(vectors).add_(1)
    assert (vectors == 0).all()


def test_softmax_is_over_the_positions_of_each_group(packing):
    scores = torch.randn(2, 4, 4, 3, requires_grad=True)
    weights = packing.softmax(packing.pack(scores))
    for b, n in enumerate(LENGTHS):
        torch.testing.assert_close(weights[:, b, :n], scores[:, b, :n].softmax(1))
        assert (weights[:, b, n:] == 0).all()
    weights[:, 1:].square().sum().backward()
    assert scores.grad.isfinite().all()
