import math

import torch

from model_code.layers.initialisation import linear, xavier


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
