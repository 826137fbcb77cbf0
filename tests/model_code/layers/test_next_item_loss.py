import literal
import pytest
import torch
from examples import array, close, randomise, weight_and_bias

from model_code.layers.next_item_loss import NextItemLoss
from model_code.layers.packing import Packing

LENGTHS = [5, 1, 3, 0, 2]


def make(hidden=(6, 5)):
    return randomise(NextItemLoss(4, hidden), scale=1.0)


def example(negatives, slots=5):
    torch.manual_seed(0)
    states, items = torch.randn(2, 5, slots, 4, dtype=torch.float64)
    other = torch.randn(5, negatives, 4, dtype=torch.float64)
    return states, items, other, torch.arange(slots) < torch.tensor(LENGTHS)[:, None]


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize(("hidden", "negatives"), [((6,), 1), ((6, 5), 3), ((6, 5), 7)])
def test_equation(hidden, negatives, dense, monkeypatch):
    if dense:
        monkeypatch.setattr(Packing, "of_mask", lambda mask: Packing(mask, None, None))
    loss = make(hidden)
    states, items, other, mask = example(negatives)
    layers = [weight_and_bias(layer) for layer in (loss.first, *loss.others)]
    expected = []
    for b, n in enumerate(LENGTHS):
        vectors = (array(states)[b, :n], array(items)[b, :n], array(other)[b])
        expected.extend(literal.next_item(*vectors, layers))
    assert len(expected) == 7
    close(loss(states, items, other, mask), sum(expected) / 7)


def test_padding_changes_nothing():
    loss = make()
    states, items, other, mask = example(3)
    padding = torch.full((5, 4, 4), torch.pi, dtype=torch.float64)
    longer = [torch.cat([vectors, padding], 1) for vectors in (states, items)]
    mask_of_longer = torch.cat([mask, torch.zeros(5, 4).bool()], 1)
    close(loss(*longer, other, mask_of_longer), array(loss(states, items, other, mask)))


@pytest.mark.parametrize(("lengths", "slots"), [([1, 0, 1], 3), ([1, 1, 1], 1), ([0, 0, 0], 2)])
def test_without_a_next_item_it_is_0(lengths, slots):
    loss = make()
    vectors = torch.randn(3, slots, 4, dtype=torch.float64, requires_grad=True)
    mask = torch.arange(slots) < torch.tensor(lengths)[:, None]
    value = loss(vectors, vectors, vectors[:, :1], mask)
    value.backward()
    assert value == 0
    assert (vectors.grad == 0).all()
    assert all((parameter.grad == 0).all() for parameter in loss.parameters())


def test_without_a_negative_it_is_0():
    states, items, other, mask = example(1)
    assert make()(states, items, other[:, :0], mask) == 0


def test_confident_answers_are_finite():
    loss = make()
    states, items, other, mask = (values * 1e4 for values in example(2))
    with torch.no_grad():
        loss.others[-1].weight.mul_(1e4)
    assert loss(states, items, other, mask > 0).isfinite()
