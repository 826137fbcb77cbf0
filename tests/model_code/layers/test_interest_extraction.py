import literal
import pytest
import torch
from examples import array, assert_kernel_agrees, close, packing_of, randomise

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


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("views", [(), (3,)])
@pytest.mark.parametrize(
    ("lengths", "candidates", "interests"), [([5, 0, 3], 2, 3), ([50, 33, 8, 1], 10, 4), ([0, 1], 1, 1)]
)
def test_kernel_gives_what_pytorch_gives(
    monkeypatch, keep_threads, lengths, candidates, interests, views, threads
):
    torch.set_num_threads(threads)
    layer = randomise(InterestExtraction(16, interests)).float()
    packing = packing_of(lengths)
    nodes = torch.randn(*views, *packing.mask.shape, 16)
    targets = torch.randn(len(lengths), candidates, 16)
    upper = torch.randn(*views, len(lengths), candidates, interests, 16)

    def results():
        inputs = (nodes.clone().requires_grad_(), targets.clone().requires_grad_(), *layer.parameters())
        vectors = layer(inputs[0], inputs[1], packing)
        return vectors.detach(), *torch.autograd.grad(vectors, inputs, upper)

    assert_kernel_agrees(monkeypatch, results)
