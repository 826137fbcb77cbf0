import literal
import pytest
import torch
from examples import array, close, packing_of, randomise

from model_code.layers.augru import AUGRU

LENGTHS = [5, 0, 1, 3]
WIDTH = 4


def example(form):
    """An AUGRU, inputs and attention, both of which go on at padding."""
    augru = randomise(AUGRU(WIDTH, form))
    return augru, torch.randn(4, 5, WIDTH, dtype=torch.float64), torch.rand(4, 2, 5, dtype=torch.float64)


@pytest.mark.parametrize("form", ["paper", "official"])
def test_equations(form):
    augru, inputs, attention = example(form)
    state = augru(inputs, attention, packing_of(LENGTHS).mask)
    of_input = array(augru.inputs.weight).reshape(3, WIDTH, WIDTH)
    bias, of_state = array(augru.inputs.bias).reshape(3, WIDTH), array(augru.states).reshape(of_input.shape)
    for b, n in enumerate(LENGTHS):
        for c in range(2):
            events, weights = array(inputs)[b, :n], array(attention)[b, c, :n]
            close(state[b, c], literal.augru(events, weights, of_input, bias, of_state, form))


@pytest.mark.parametrize("form", ["paper", "official"])
def test_padding_gets_no_gradient_and_gives_none(form):
    augru, inputs, attention = example(form)
    mask = packing_of(LENGTHS).mask
    leaves = inputs.requires_grad_(), attention.requires_grad_()
    augru(*leaves, mask).square().sum().backward()
    assert (inputs.grad[~mask] == 0).all()
    assert (attention.grad.mT[~mask] == 0).all()
    assert (inputs.grad[mask] != 0).all()
    assert (attention.grad.mT[mask] != 0).all()


def test_without_attention_the_papers_state_stays_and_the_codes_moves():
    for form, moves in (("paper", False), ("official", True)):
        augru, inputs, attention = example(form)
        state = augru(inputs, torch.zeros_like(attention), packing_of([5] * 4).mask)
        assert (state != 0).all() if moves else (state == 0).all()
