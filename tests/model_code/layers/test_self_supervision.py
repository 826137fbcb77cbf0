import literal
import pytest
import torch
from examples import array, close

from model_code.kernels import library
from model_code.layers.self_supervision import self_supervision_loss


def test_equation():
    first, second = torch.randn(2, 4, 5, 3, 8, dtype=torch.float64) * 3
    expected = literal.self_supervision(array(first).reshape(20, 3, 8), array(second).reshape(20, 3, 8))
    close(self_supervision_loss(first, second), expected)
    close(self_supervision_loss(second, first), expected)


def test_zero_for_equal_views_and_finite_for_distant_ones():
    views = torch.randn(4, 3, 8) * 100
    assert self_supervision_loss(views, views) == 0
    assert self_supervision_loss(views, -views).isfinite()


def results(first, second):
    leaves = [views.detach().requires_grad_() for views in (first, second)]
    loss = self_supervision_loss(*leaves)
    (loss * 0.7).backward()
    return [loss.detach(), *(leaf.grad for leaf in leaves)]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("shape", "distance"),
    [((4, 5, 3, 8), 3.0), ((7, 2, 13), 1.0), ((200, 6, 4, 50), 1e-3), ((3, 1, 1), 1.0), ((5, 2, 32), 0.01)],
)
def test_kernel_gives_what_pytorch_gives(monkeypatch, keep_threads, shape, distance, threads):
    torch.set_num_threads(threads)
    first = torch.randn(shape)
    second = first + distance * torch.randn(shape)
    if not library.ready(first):
        pytest.skip("no C compiler: there are no kernels to compare")
    fast = results(first, second)
    strided = results(first.mT.contiguous().mT, second.mT.contiguous().mT)
    assert all(torch.equal(a, b) for a, b in zip(fast, strided, strict=True))
    torch.set_num_threads(3 - threads)
    assert all(torch.equal(a, b) for a, b in zip(fast, results(first, second), strict=True))
    exact = results(first.double(), second.double())
    monkeypatch.setenv(library.SWITCH, "off")
    slow = results(first, second)
    for a, b, c in zip(fast, slow, exact, strict=True):
        # Of views that are close, the differences are rounded: 1e-7 of 1e-3.
        most = 3e-4 * c.abs().max().clamp(min=1e-7).item()
        torch.testing.assert_close(a.double(), c, rtol=0, atol=most)
        torch.testing.assert_close(a, b, rtol=0, atol=2 * most)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_shows(value):
    first, second = torch.randn(2, 4, 3, 8)
    first[1, 2, 3] = value
    assert all(result.isnan().any() for result in results(first, second))


def test_shapes_that_do_not_fit_are_refused_before_the_kernel_runs():
    first, second = torch.randn(4, 3, 8), torch.randn(4, 3, 7)
    if not library.ready(first):
        pytest.skip("no C compiler: there are no kernels to guard")
    with pytest.raises(ValueError, match="shapes do not fit"):
        self_supervision_loss(first, second)
