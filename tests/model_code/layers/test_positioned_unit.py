import literal
import pytest
import torch
from examples import array, assert_kernel_agrees, close, packing_of, randomise, weight_and_bias

from model_code.layers.packing import Packing
from model_code.layers.positioned_unit import PositionedUnit

LENGTHS = [5, 1, 3]


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("hidden", [(6,), (7, 5)])
def test_formula(hidden, dense, monkeypatch):
    packing = packing_of(LENGTHS, dense)
    monkeypatch.setattr(Packing, "of_mask", lambda mask: packing)
    torch.manual_seed(0)
    layer = randomise(PositionedUnit(4, 2, hidden), scale=1.0)
    queries = torch.randn(3, 2, 4, dtype=torch.float64)
    keys, places = torch.randn(3, 5, 4, dtype=torch.float64), torch.randn(3, 5, 2, dtype=torch.float64)
    interest = layer(queries, packing.pack(keys), packing.pack(places), packing)
    layers = [weight_and_bias(part) for part in (layer.unit.first, *layer.unit.others)]
    layers.append((array(layer.unit.score.weight), 0.0))
    for b, n in enumerate(LENGTHS):
        for c in range(2):
            expected = literal.positioned_unit(
                array(queries)[b, c], array(keys)[b, :n], array(places)[b, :n],
                weight_and_bias(layer.alignment), layers,
            )  # fmt: skip
            close(interest[b, c], expected)


@pytest.mark.parametrize("dense", [False, True])
def test_gradient_is_that_of_finite_differences(dense, monkeypatch):
    packing = packing_of([4, 2], dense)
    monkeypatch.setattr(Packing, "of_mask", lambda mask: packing)
    layer = randomise(PositionedUnit(3, 2, (4, 2)))
    queries = torch.randn(2, 2, 3, dtype=torch.float64, requires_grad=True)
    keys = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    places = torch.randn(2, 4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda q, k, p, *_: layer(q, packing.pack(k), packing.pack(p), packing),
        (queries, keys, places, *layer.parameters()),
    )


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("width", "hidden", "candidates", "lengths"),
    [
        (32, (80, 40), 10, [50, 1, 13, 26, 7, 0, 44]),
        (5, (11,), 1, [3, 0, 9, 9]),
        (8, (13, 3, 9), 4, [0, 0, 2, 17, 8]),
        (3, (2, 2), 3, [0, 0]),
    ],
)
def test_kernel_gives_what_pytorch_gives(
    monkeypatch, keep_threads, width, hidden, candidates, lengths, threads
):
    torch.set_num_threads(threads)
    layer = randomise(PositionedUnit(width, 2, hidden)).float()
    packing = Packing.of_mask(torch.arange(max(*lengths, 3)) < torch.tensor(lengths)[:, None])
    queries = torch.randn(len(lengths), candidates, width)
    keys, places = torch.randn(sum(lengths), width), torch.randn(sum(lengths), 2)
    upper = torch.randn_like(queries)

    def results():
        inputs = [values.clone().requires_grad_() for values in (queries, keys, places)]
        interest = layer(*inputs, packing)
        with torch.no_grad():
            torch.testing.assert_close(layer(*inputs, packing), interest)  # which keeps nothing
        return interest.detach(), *torch.autograd.grad(interest, [*inputs, *layer.parameters()], upper)

    assert_kernel_agrees(monkeypatch, results)
