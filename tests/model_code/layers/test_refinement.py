import literal
import torch
from examples import array, close, randomise, weight_and_bias

from model_code.layers.refinement import Refinement


def test_formula():
    torch.manual_seed(0)
    layer = randomise(Refinement(3, 6), scale=1.0)
    nodes, attended = torch.randn(4, 6, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    parts = [weight_and_bias(part) for part in (layer.projection, layer.norm, layer.wide, layer.narrow)]
    for out, node, found in zip(layer(nodes, attended), array(nodes), array(attended), strict=True):
        close(out, literal.refinement(node, found, *parts))
