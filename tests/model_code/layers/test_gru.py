import literal
import torch
from examples import array, close, packing_of, randomise

from model_code.layers.gru import GRU

LENGTHS = [5, 0, 1, 3]
WIDTH = 4


def test_equations():
    gru = randomise(GRU(WIDTH))
    inputs = torch.randn(4, 5, WIDTH, dtype=torch.float64)
    states = gru(inputs, packing_of(LENGTHS).mask)
    of_input = array(gru.inputs.weight).reshape(3, WIDTH, WIDTH)
    weights = (of_input, array(gru.inputs.bias).reshape(3, WIDTH), array(gru.states).reshape(of_input.shape))
    for b, n in enumerate(LENGTHS):
        close(states[b, :n], literal.gru(array(inputs)[b, :n], *weights).reshape(n, WIDTH))


def test_is_pytorchs_with_the_update_gate_turned_round():
    gru, other = randomise(GRU(WIDTH)), torch.nn.GRU(WIDTH, WIDTH, batch_first=True).double()
    turned = torch.tensor([1.0, -1.0, 1.0]).double().repeat_interleave(WIDTH)
    with torch.no_grad():
        other.weight_ih_l0.copy_(turned[:, None] * gru.inputs.weight)
        other.weight_hh_l0.copy_(turned[:, None] * gru.states)
        other.bias_ih_l0.copy_(turned * gru.inputs.bias)
        other.bias_hh_l0.zero_()
    inputs = torch.randn(2, 5, WIDTH, dtype=torch.float64)
    close(gru(inputs, packing_of([5, 5]).mask), array(other(inputs)[0]))


def test_weights_start_as_those_of_three_separate_maps():
    torch.manual_seed(0)
    gru = GRU(64)
    bound = (6 / 128) ** 0.5
    for weight in (gru.inputs.weight, gru.states):
        assert 0.95 * bound < weight.abs().max() <= bound
    assert (gru.inputs.bias == 0).all()
