import literal
import pytest
import torch
from examples import array, close, randomise

from model_code.kernels import library
from model_code.layers.dice import Dice


def test_formula_in_training_and_in_evaluation():
    layer = randomise(Dice(5))
    rows = torch.randn(12, 5, dtype=torch.float64) * 2 + 1
    statistics = array(layer.norm.running_mean).copy(), array(layer.norm.running_var).copy()
    close(layer.eval()(rows), literal.dice(array(rows), array(layer.alpha), statistics))
    close(layer.train()(rows), literal.dice(array(rows), array(layer.alpha)))


def test_alpha_of_one_is_the_identity():
    layer = Dice(5)
    torch.nn.init.ones_(layer.alpha)
    rows = torch.randn(12, 5)
    torch.testing.assert_close(layer(rows), rows)


def results(layer, rows, weights):
    """The output, all gradients and the running statistics after two steps, from those at the start."""
    layer.norm.reset_running_stats()
    layer.zero_grad()
    leaf = rows.detach().requires_grad_()
    layer(rows + 1)
    output = layer(leaf)
    (output * weights).sum().backward()
    buffers = [buffer.clone() for buffer in layer.buffers()]
    return [output.detach(), leaf.grad, layer.alpha.grad.clone(), *buffers]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("count", "width"), [(260, 200), (2, 3), (33, 13), (5, 8)])
def test_kernel_gives_what_pytorch_gives(monkeypatch, keep_threads, count, width, threads):
    layer = randomise(Dice(width)).float()
    torch.set_num_threads(threads)
    rows, weights = torch.randn(count, width) * 3 + 5, torch.randn(count, width)
    if not library.ready(rows):
        pytest.skip("no C compiler: there are no kernels to compare")
    fast = results(layer, rows, weights)
    strided = results(layer, rows.t().contiguous().t(), weights)
    assert all(torch.equal(a, b) for a, b in zip(fast, strided, strict=True))
    monkeypatch.setenv(library.SWITCH, "off")
    for a, b in zip(fast, results(layer, rows, weights), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_one_row_is_refused_by_both():
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        Dice(4)(torch.randn(1, 4))
