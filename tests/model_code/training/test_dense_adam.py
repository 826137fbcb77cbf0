import pytest
import torch

from model_code.kernels import library
from model_code.training.dense_adam import KernelAdam, TorchAdam, dense_adam

SHAPES = {"a": (3, 5), "b": (), "c": (1000, 70)}  # "c" is large enough for two threads


def weights():
    generator = torch.Generator().manual_seed(1)
    return {name: torch.randn(shape, generator=generator).requires_grad_() for name, shape in SHAPES.items()}


def take_steps(parameters, adam, first, last):
    """Steps first to last, with gradients that depend on the step alone; some steps leave "b" out."""
    for step in range(first, last):
        generator = torch.Generator().manual_seed(step)
        for name, weight in parameters.items():
            gradient = torch.randn(weight.shape, generator=generator) * 10.0 ** (step % 5 - 3)
            weight.grad = None if name == "b" and step % 3 == 0 else gradient
        adam.step()


@pytest.fixture
def kernels(keep_torch_threads):
    if not library.ready():
        pytest.skip("no C compiler: there are no kernels to compare")


@pytest.mark.parametrize("threads", [1, 2])
def test_kernel_gives_what_pytorch_gives(kernels, threads):
    torch.set_num_threads(threads)
    fast, slow = weights(), weights()
    adam = dense_adam(fast, 0.01)
    assert isinstance(adam, KernelAdam)
    take_steps(fast, adam, 0, 30)
    take_steps(slow, TorchAdam(slow, 0.01), 0, 30)
    for name, weight in fast.items():
        torch.testing.assert_close(weight, slow[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kinds", [(KernelAdam, TorchAdam), (TorchAdam, KernelAdam)])
def test_one_goes_on_from_the_state_of_the_other(kernels, kinds):
    whole, parts = weights(), weights()
    take_steps(whole, TorchAdam(whole, 0.01), 0, 12)
    before, after = (kind(parts, 0.01) for kind in kinds)
    take_steps(parts, before, 0, 7)
    after.load(before.tensors())
    assert {name: value.dtype for name, value in after.tensors().items()} == {
        name: value.dtype for name, value in before.tensors().items()
    }
    take_steps(parts, after, 7, 12)
    for name, weight in parts.items():
        torch.testing.assert_close(weight, whole[name], rtol=1e-5, atol=1e-6)


def test_what_was_never_asked_has_no_state(kernels):
    parameters = weights()
    adam = KernelAdam(parameters, 0.01)
    parameters["a"].grad = torch.ones(3, 5)
    adam.step()
    assert sorted(adam.tensors()) == ["a.exp_avg", "a.exp_avg_sq", "a.step"]


def test_other_types_are_left_to_pytorch():
    adam = dense_adam({"a": torch.zeros(3, dtype=torch.float64, requires_grad=True)}, 0.01)
    assert isinstance(adam, TorchAdam)
