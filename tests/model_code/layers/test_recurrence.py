import pytest
import torch
from examples import assert_kernel_agrees, packing_of

from model_code.layers.recurrence import recur


def example(lengths, candidates, width, dtype=torch.float32, seed=0):
    torch.manual_seed(seed)
    mask = packing_of(lengths).mask
    shares = torch.randn(*mask.shape, 3 * width, dtype=dtype)
    weight = torch.randn(3 * width, width, dtype=dtype) / width**0.5
    slope = torch.rand(len(lengths), candidates, mask.shape[1], dtype=dtype) - 0.3
    return tuple(values.requires_grad_() for values in (shares, weight, slope)), mask


@pytest.mark.parametrize("offset", [0.0, 1.0])
@pytest.mark.parametrize("last", [1, 2, 4])
def test_gradient_is_that_of_finite_differences(offset, last):
    inputs, mask = example([4, 2, 0], 2, 3, torch.float64)
    assert torch.autograd.gradcheck(lambda *x: recur(*x, mask, offset=offset, last=last), inputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])  # the kernel and PyTorch
def test_states_after_the_last_event_are_its_own_and_are_zero_without_one(dtype):
    inputs, mask = example([4, 2, 0], 2, 8, dtype)
    every = recur(*inputs, mask, last=4)
    assert (every[1, :, 2:] == every[1, :, 1:2]).all()
    assert (every[2] == 0).all()
    assert torch.equal(recur(*inputs, mask, last=1), every[:, :, 3:])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("offset", [0.0, 1.0])
@pytest.mark.parametrize(
    ("lengths", "candidates", "width", "last"),
    [
        ([50, 1, 13, 0, 44], 10, 32, 1),
        ([50, 1, 13, 0, 44], 1, 32, 50),
        ([3, 0, 9, 9], 7, 8, 4),
        ([0, 1], 2, 16, 1),
    ],
)
def test_kernel_gives_what_pytorch_gives(
    monkeypatch, keep_threads, lengths, candidates, width, last, offset, threads
):
    torch.set_num_threads(threads)
    inputs, mask = example(lengths, candidates, width)
    upper = torch.randn(len(lengths), candidates, last, width)

    def results():
        states = recur(*inputs, mask, offset=offset, last=last)
        with torch.no_grad():
            torch.testing.assert_close(recur(*inputs, mask, offset=offset, last=last), states)
        return states.detach(), *torch.autograd.grad(states, inputs, upper)

    assert_kernel_agrees(monkeypatch, results)


@pytest.mark.parametrize(
    ("shares", "weight", "slope", "mask"),
    [
        ((2, 4, 16), (24, 8), (2, 3, 4), (2, 4)),
        ((2, 4, 24), (16, 8), (2, 3, 4), (2, 4)),
        ((2, 4, 24), (24, 8), (2, 3, 5), (2, 4)),
        ((2, 4, 24), (24, 8), (2, 3, 4), (3, 4)),
        ((2, 4, 24), (24, 8), (2, 3, 4), (2, 9)),
    ],
)
def test_shapes_that_do_not_fit_are_refused_before_the_kernel_runs(shares, weight, slope, mask):
    inputs = (torch.randn(shape) for shape in (shares, weight, slope))
    with pytest.raises(ValueError, match="shapes do not fit"):
        recur(*inputs, torch.ones(mask, dtype=torch.bool), last=1)
