import math

import torch

from model_code.layers.initialisation import embedding, linear, xavier


def test_embedding_has_the_scale_and_a_padding_row_of_zero():
    torch.manual_seed(0)
    table = embedding(20_000, 16, 0.1)
    assert torch.equal(table.weight[0], torch.zeros(16))
    assert abs(table.weight[1:].std().item() - 0.1) < 1e-3
    table(torch.tensor([0, 3])).sum().backward()
    assert table.weight.grad[0].abs().sum() == 0
    assert table.weight.grad[3].abs().sum() > 0


def test_linear_is_xavier_with_zero_bias():
    torch.manual_seed(0)
    layer = linear(100, 200)
    bound = math.sqrt(6 / 300)
    assert layer.bias.abs().max() == 0
    assert 0.98 * bound < layer.weight.abs().max() <= bound
    assert linear(3, 2, bias=False).bias is None


def test_stacked_maps_have_each_their_own_fan():
    torch.manual_seed(0)
    weights = xavier(50, 10, 20, inputs=10, outputs=20)
    bound = math.sqrt(6 / 30)
    assert 0.98 * bound < weights.abs().max() <= bound
