import literal
import torch
from examples import array, close, randomise

from model_code.layers.confi_net import ConfiNet


def test_equation():
    width, interests = 4, 3
    net = randomise(ConfiNet(width, interests, (7, 5)))
    vectors = torch.randn(2, 6, interests, width, dtype=torch.float64)
    context = torch.randn(2, 6, 2 * width, dtype=torch.float64)
    omega = net(vectors, context)
    layers = [(array(layer.weight), array(layer.bias)) for layer in (net.first, *net.others)]
    for b in range(2):
        for c in range(6):
            expected = literal.confidence(
                array(vectors)[b, c], array(context)[b, c], layers, array(net.prototypes)
            )
            close(omega[b, c], expected)
    torch.testing.assert_close(omega.sum(-1), torch.ones(2, 6, dtype=torch.float64))
