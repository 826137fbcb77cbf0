import literal
import numpy as np
import pytest
import torch
from examples import array, close, packing_of, randomise

from model_code.layers.causal_attention import CausalAttention

LENGTHS = [5, 1, 0, 3]


@pytest.fixture(params=[False, True], ids=["packed", "dense"])
def packing(request):
    return packing_of(LENGTHS, dense=request.param)


@pytest.mark.parametrize("heads", [1, 2])
def test_formula(packing, heads):
    torch.manual_seed(0)
    layer = randomise(CausalAttention(6, heads), scale=1.0)
    nodes = torch.randn(4, 5, 6, dtype=torch.float64)
    out = packing.unpack(layer(packing.pack(nodes), packing))
    weights = (layer.query.weight, layer.query.bias, layer.key.weight, layer.value.weight)
    for b, n in enumerate(LENGTHS):
        expected = literal.causal_attention(array(nodes)[b, :n], *map(array, weights), heads)
        for i in range(n):
            close(out[b, i], np.concatenate([head[i] for head in expected]))


def test_later_events_and_padding_have_no_weight_at_all(packing):
    layer = randomise(CausalAttention(8, 4))
    nodes = torch.randn(4, 5, 8, dtype=torch.float64)
    for t in range(5):
        leaves = nodes.clone().requires_grad_()
        out = packing.unpack(layer(packing.pack(leaves), packing))
        (out[:, t] * packing.mask[:, t, None]).sum().backward()
        there = packing.mask & packing.mask[:, t, None] & (torch.arange(5) <= t)
        assert torch.equal(leaves.grad.abs().amax(-1) > 0, there)


def test_float32_is_close_to_float64(packing):
    layer = randomise(CausalAttention(32, 4))
    nodes = torch.randn(4, 5, 32, dtype=torch.float64)
    expected = layer(packing.pack(nodes), packing)
    torch.testing.assert_close(layer.float()(packing.pack(nodes.float()), packing).double(), expected,
                               rtol=1e-4, atol=1e-5)  # fmt: skip


def test_no_event_at_all():
    packing = packing_of([0, 0, 1])
    packing = type(packing).of_mask(packing.mask[:2])
    layer = CausalAttention(8, 2)
    assert layer(packing.pack(torch.randn(2, 1, 8)), packing).shape == (0, 8)
