import literal
import pytest
import torch
from examples import array, close, packing_of, randomise

from model_code.layers.interest_extraction import InterestExtraction

LENGTHS = [5, 1, 3]


@pytest.mark.parametrize("interests", [1, 3])
def test_equation(interests):
    torch.manual_seed(0)
    width = 4
    nodes = torch.randn(2, 3, 5, width, dtype=torch.float64)  # two views
    candidates = torch.randn(3, 2, width, dtype=torch.float64)
    packing = packing_of(LENGTHS)
    layer = randomise(InterestExtraction(width, interests))
    vectors = layer(nodes, candidates, packing)
    assert vectors.shape == (2, 3, 2, interests, width)

    hidden = array(layer.hidden).reshape(interests, width, 2 * width)
    bias = array(layer.hidden_bias).reshape(interests, width)
    score = array(layer.score).reshape(interests, width)
    for v in range(2):
        for b, n in enumerate(LENGTHS):
            for c in range(2):
                expected = literal.interests(
                    array(nodes)[v, b, :n], array(candidates)[b, c], hidden, bias, score
                )
                close(vectors[v, b, c], expected)


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("views", [(), (2,)])
def test_gradient_is_that_of_finite_differences(views, dense):
    torch.manual_seed(1)
    nodes = torch.randn(*views, 2, 4, 3, dtype=torch.float64, requires_grad=True)
    candidates = torch.randn(2, 2, 3, dtype=torch.float64, requires_grad=True)
    layer = randomise(InterestExtraction(3, 2))
    packing = packing_of([4, 2], dense)
    inputs = (nodes, candidates, *layer.parameters())
    assert torch.autograd.gradcheck(lambda n, c, *_: layer(n, c, packing), inputs)
