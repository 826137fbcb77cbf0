import literal
import pytest
import torch
from examples import array, close, packing_of, randomise

from model_code.layers.activation_unit import ActivationUnit

LENGTHS = [5, 1, 3]


@pytest.mark.parametrize("softmax", [True, False])
@pytest.mark.parametrize("hidden", [(6,), (7, 5)])
def test_formula(softmax, hidden):
    torch.manual_seed(0)
    width = 4
    unit = randomise(ActivationUnit(width, hidden, softmax=softmax))
    queries = torch.randn(3, 2, width, dtype=torch.float64)
    keys = torch.randn(3, 5, width, dtype=torch.float64)
    packing = packing_of(LENGTHS)
    weights = unit(queries, packing.pack(keys), packing)
    layers = [(array(layer.weight), array(layer.bias)) for layer in (unit.first, *unit.others)]
    layers.append((array(unit.score.weight), 0.0 if softmax else array(unit.score.bias)))
    for b, n in enumerate(LENGTHS):
        for c in range(2):
            expected = literal.activation_unit(array(queries)[b, c], array(keys)[b, :n], layers, softmax)
            close(weights[b, c, :n], expected)
            assert (weights[b, c, n:] == 0).all()


@pytest.mark.parametrize(("softmax", "dense"), [(True, False), (True, True), (False, False)])
@pytest.mark.parametrize("hidden", [(4,), (4, 2), (3, 4, 2)])
def test_gradient_is_that_of_finite_differences(hidden, softmax, dense):
    unit = randomise(ActivationUnit(3, hidden, softmax=softmax))
    queries = torch.randn(2, 2, 3, dtype=torch.float64, requires_grad=True)
    keys = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    packing = packing_of([4, 2], dense)
    parameters = tuple(unit.parameters())
    assert torch.autograd.gradcheck(
        lambda q, k, *_: unit(q, packing.pack(k), packing), (queries, keys, *parameters)
    )
