import literal
import pytest
import torch
from examples import array, close, packing_of, randomise

from model_code.layers.self_attentive_extraction import SelfAttentiveExtraction

LENGTHS = [5, 1, 0, 3]
WIDTH, MAX_LENGTH = 4, 7


def example(interests, dense):
    layer = randomise(SelfAttentiveExtraction(WIDTH, interests, MAX_LENGTH, scale=0.1), scale=0.7)
    history = torch.randn(len(LENGTHS), 5, WIDTH, dtype=torch.float64)
    return layer, history, packing_of(LENGTHS, dense)


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("interests", [1, 3])
def test_formula(interests, dense):
    layer, history, packing = example(interests, dense)
    vectors = layer(history, packing)
    assert layer.hidden.weight.shape == (4 * WIDTH, WIDTH)
    parts = [array(part) for part in (layer.positions, layer.hidden.weight, layer.score.weight)]
    for b, n in enumerate(LENGTHS):
        expected = literal.self_attentive_extraction(array(history)[b, :n], parts[0][:n], *parts[1:])
        close(vectors[b], expected)


@pytest.mark.parametrize("dense", [False, True])
def test_weights_sum_to_1_over_the_events_and_padding_has_none(dense):
    layer, history, packing = example(3, dense)
    weights = layer.weights(history, packing)
    torch.testing.assert_close(weights[[0, 1, 3]].sum(1), torch.ones(3, 3, dtype=torch.float64))
    assert (weights[~packing.mask] == 0).all()


@pytest.mark.parametrize("dense", [False, True])
def test_gradient_is_that_of_finite_differences_and_finite_without_events(dense):
    layer, history, packing = example(2, dense)
    inputs = (history.requires_grad_(), *layer.parameters())
    assert torch.autograd.gradcheck(lambda h, *_: layer(h, packing), inputs)
