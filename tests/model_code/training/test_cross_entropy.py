import pytest
import torch
from scipy.special import log_expit

from model_code.kernels import library
from model_code.training.cross_entropy import cross_entropy


def literal(logits):
    positive, negatives = logits[:, :1].numpy(), logits[:, 1:].numpy()
    return -(log_expit(positive).sum() + log_expit(-negatives).sum()) / logits.numel()


def gradient(logits, weight):
    leaf = logits.detach().requires_grad_()
    (cross_entropy(leaf) * weight).backward()
    return leaf.grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])  # by the kernel, and without
@pytest.mark.parametrize("shape", [(26, 10), (1, 1), (5, 2)])
def test_formula(shape, dtype):
    logits = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=dtype) * 5
    loss = cross_entropy(logits)
    torch.testing.assert_close(loss.double().item(), literal(logits.double()).item(), rtol=1e-6, atol=0)


def test_large_logits_are_no_overflow():
    logits = torch.tensor([[-200.0, 200.0], [100.0, -100.0]])
    assert cross_entropy(logits).item() == 100
    torch.testing.assert_close(gradient(logits, 1.0), torch.tensor([[-0.25, 0.25], [0, 0]]))


def test_a_logit_that_is_not_finite_is_seen():
    assert cross_entropy(torch.tensor([[float("nan"), 0.0]])).isnan()
    assert cross_entropy(torch.tensor([[0.0, float("inf")]])).isinf()


def test_kernel_has_the_gradient_of_pytorch(monkeypatch):
    logits = torch.randn(26, 10) * 3
    if not library.ready(logits):
        pytest.skip("no C compiler: there is no kernel to compare")
    fast = [gradient(values, 3.0) for values in (logits, logits.t().contiguous().t())]
    assert torch.equal(*fast)
    monkeypatch.setenv(library.SWITCH, "off")
    torch.testing.assert_close(fast[0], gradient(logits, 3.0), rtol=1e-5, atol=1e-8)
