import pytest
import torch
from examples import array, close

from model_code.kernels import library
from model_code.layers.head_inputs import head_inputs

LENGTHS = [3, 0, 5, 1]


def example(width=4, others=((2, 3), (1, 7)), dtype=torch.float64):
    """Candidates, history, mask, and others of (rows, width) each."""
    torch.manual_seed(0)
    mask = torch.arange(5) < torch.tensor(LENGTHS)[:, None]
    sizes = [(4, 2, width), (4, 5, width), *((4, rows, other) for rows, other in others)]
    candidates, history, *rest = (torch.randn(size, dtype=dtype) for size in sizes)
    return candidates, history, mask, rest


def test_formula():
    candidates, history, mask, others = example()
    result = array(head_inputs(candidates, history, mask, others))
    assert result.shape == (4, 2, 3 * 4 + 3 + 7)
    for b, n in enumerate(LENGTHS):
        mean = array(history)[b, :n].sum(0) / max(n, 1)
        for c in range(2):
            q = array(candidates)[b, c]
            parts = [*q, *mean, *(q * mean), *array(others[0])[b, c], *array(others[1])[b, 0]]
            close(torch.tensor(result[b, c]), torch.tensor(parts).numpy())


def results(candidates, history, mask, others):
    leaves = [values.detach().requires_grad_() for values in (candidates, history, *others)]
    result = head_inputs(leaves[0], leaves[1], mask, leaves[2:])
    weights = torch.randn(result.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (result.square() * weights.to(result.dtype)).sum().backward()
    return [result.detach(), *(leaf.grad for leaf in leaves)]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("width", "others"), [(4, ((2, 3), (1, 7))), (32, ((2, 32),)), (5, ())])
def test_kernel_gives_what_pytorch_gives(monkeypatch, keep_threads, width, others, threads):
    torch.set_num_threads(threads)
    candidates, history, mask, rest = example(width, others, torch.float32)
    if not library.ready(candidates):
        pytest.skip("no C compiler: there are no kernels to compare")
    fast = results(candidates, history, mask, rest)
    strided = results(candidates.mT.contiguous().mT, history.mT.contiguous().mT, mask, rest)
    assert all(torch.equal(a, b) for a, b in zip(fast, strided, strict=True))
    exact = results(candidates.double(), history.double(), mask, [other.double() for other in rest])
    for a, b in zip(fast, exact, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=1e-5)
    monkeypatch.setenv(library.SWITCH, "off")
    for a, b in zip(fast, results(candidates, history, mask, rest), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_a_slot_that_is_not_valid_is_not_read(monkeypatch):
    candidates, history, mask, others = example(dtype=torch.float32)
    expected = head_inputs(candidates, history, mask, others)
    history[~mask] = float("nan")
    if library.ready():
        assert torch.equal(head_inputs(candidates, history, mask, others), expected)


@pytest.mark.parametrize("change", [(0, (4, 2, 5)), (1, (3, 5, 4)), (2, (4, 3, 3))])
def test_shapes_that_do_not_fit_are_refused_before_the_kernel_runs(change):
    if not library.ready():
        pytest.skip("no C compiler: there are no kernels to guard")
    candidates, history, mask, others = example(dtype=torch.float32)
    vectors = [candidates, history, *others]
    vectors[change[0]] = torch.zeros(change[1])
    with pytest.raises(ValueError, match="shapes do not fit"):
        head_inputs(vectors[0], vectors[1], mask, vectors[2:])
