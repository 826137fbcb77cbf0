import literal
import pytest
import torch
from examples import array, close, randomise

from model_code.kernels import library
from model_code.layers import prediction_head
from model_code.layers.prediction_head import PredictionHead


def test_layers_with_dice_between():
    head = randomise(PredictionHead(6, (5, 4)))
    inputs = torch.randn(3, 7, 6, dtype=torch.float64)
    first, dice1, second, dice2, last = head.layers
    rows = array(inputs).reshape(21, 6)
    for layer, dice in ((first, dice1), (second, dice2)):
        rows = literal.dice(rows @ array(layer.weight).T + array(layer.bias), array(dice.alpha))
    expected = rows @ array(last.weight).T + array(last.bias)
    close(head.train()(inputs), expected.reshape(3, 7))


def results(head, inputs, weights):
    """The logits, all gradients and the running statistics after two steps, from those at the start."""
    for dice in head.layers[1::2]:
        dice.norm.reset_running_stats()
    head.zero_grad()
    leaf = inputs.detach().requires_grad_()
    head(inputs + 1)
    logits = head(leaf)
    (logits * weights).sum().backward()
    buffers = [buffer.clone() for buffer in head.buffers()]
    return [logits.detach(), leaf.grad, *(parameter.grad for parameter in head.parameters()), *buffers]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("shape", "width", "hidden"),
    [
        ((26, 10), 128, (200, 80)),
        ((2,), 3, (1,)),
        ((33,), 13, (5, 21, 3)),
        ((5, 1), 8, (8, 40)),
        ((3, 2, 4), 33, (17,)),
    ],
)
def test_kernel_gives_what_pytorch_gives(monkeypatch, keep_threads, shape, width, hidden, threads):
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    monkeypatch.setattr(prediction_head, "LITTLE", 0)  # let threads share small layers, too
    head = randomise(PredictionHead(width, hidden))
    inputs, weights = torch.randn(*shape, width) * 3 + 1, torch.randn(shape)
    if not library.ready(inputs):
        pytest.skip("no C compiler: there are no kernels to compare")
    exact = results(head.double(), inputs.double(), weights.double())
    head.float()
    fast = results(head, inputs, weights)
    strided = results(head, inputs.mT.contiguous().mT if inputs.dim() > 1 else inputs, weights)
    assert all(torch.equal(a, b) for a, b in zip(fast, strided, strict=True))
    monkeypatch.setenv(library.SWITCH, "off")
    slow = results(head, inputs, weights)
    for a, b, c in zip(fast, slow, exact, strict=True):
        scale = max(1.0, c.abs().max().item())
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5 * scale)
        torch.testing.assert_close(a.double(), c.double(), rtol=1e-4, atol=1e-5 * scale)


def test_threads_change_nothing(keep_threads):
    head = randomise(PredictionHead(128, (200, 80))).float()
    inputs, weights = torch.randn(260, 128), torch.randn(260)
    if not library.ready(inputs):
        pytest.skip("no C compiler: PyTorch's threads may round differently")
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        found.append(results(head, inputs, weights))
    for several in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], several, strict=True))


def test_inputs_that_do_not_fit_are_refused_before_the_kernel_runs():
    if not library.ready():
        pytest.skip("no C compiler: there are no kernels to guard")
    with pytest.raises(ValueError, match="shapes do not fit"):
        PredictionHead(8, (8,))(torch.randn(3, 9))
