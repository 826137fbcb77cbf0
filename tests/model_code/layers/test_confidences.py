import literal
import pytest
import torch
from examples import array, close, randomise

from model_code.layers.confi_net import ConfiNet
from model_code.layers.confidences import EqualConfidence, Gate, HardRouting, make_confidence

WIDTH, EXPERTS, HIDDEN = 4, 3, (7, 5)


@pytest.fixture
def vectors():
    torch.manual_seed(0)
    return torch.randn(2, 6, EXPERTS, WIDTH, dtype=torch.float64)


@pytest.fixture
def context():
    torch.manual_seed(1)
    return torch.randn(2, 6, 2 * WIDTH, dtype=torch.float64)


def test_equal_confidence(vectors, context):
    assert torch.equal(EqualConfidence(4)(vectors, context), torch.full((2, 6, 4), 0.25).double())


def test_a_gate_reads_the_context_alone(vectors, context):
    gate = randomise(Gate(WIDTH, EXPERTS))
    omega = gate(vectors, context)
    assert torch.equal(omega, gate(vectors * 2, context))
    for b in range(2):
        for c in range(6):
            close(omega[b, c], literal.softmax(array(gate.weights.weight) @ array(context)[b, c]))


def test_hard_routing_trains_softly_and_then_takes_the_most_trusted(vectors, context):
    hard = randomise(HardRouting(WIDTH, EXPERTS, HIDDEN))
    soft = ConfiNet(WIDTH, EXPERTS, HIDDEN).double()
    soft.load_state_dict(hard.state_dict())
    omega = soft(vectors, context)
    assert torch.equal(hard.train()(vectors, context), omega)
    chosen = hard.eval()(vectors, context)
    assert torch.equal(chosen.argmax(-1), omega.argmax(-1))
    assert torch.equal(chosen.sort(-1).values, torch.tensor([0.0, 0.0, 1.0]).expand(2, 6, -1).double())


@pytest.mark.parametrize(
    ("aggregation", "kind"),
    [("confi_net", ConfiNet), ("hard_routing", HardRouting), ("mean", EqualConfidence), ("moe", Gate)],
)
def test_by_name(aggregation, kind):
    assert type(make_confidence(aggregation, WIDTH, EXPERTS, HIDDEN)) is kind
    assert type(make_confidence(aggregation, WIDTH, 1, HIDDEN)) is EqualConfidence  # nothing to weigh
