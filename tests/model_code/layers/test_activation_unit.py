import literal
import pytest
import torch
from examples import array, close, packing_of, randomise

from model_code.kernels import library
from model_code.layers.activation_unit import ActivationUnit

LENGTHS = [5, 1, 3]


@pytest.mark.parametrize("softmax", [True, False])
@pytest.mark.parametrize("hidden", [(6,), (7, 5)])
def test_formula(softmax, hidden):
    torch.manual_seed(0)
    width = 4
    unit = randomise(ActivationUnit(width, hidden, softmax=softmax))
    queries = torch.randn(3, 2, width, dtype=torch.float64)
    history = torch.randn(3, 5, width, dtype=torch.float64)
    packing = packing_of(LENGTHS)
    weights = unit.weights(queries, packing.pack(history), packing)
    interest = unit(queries, history, packing.mask)
    assert torch.equal(unit.weigh(queries, history, packing.mask), weights)
    layers = [(array(layer.weight), array(layer.bias)) for layer in (unit.first, *unit.others)]
    layers.append((array(unit.score.weight), 0.0 if softmax else array(unit.score.bias)))
    for b, n in enumerate(LENGTHS):
        for c in range(2):
            expected = literal.activation_unit(array(queries)[b, c], array(history)[b, :n], layers, softmax)
            close(weights[b, c, :n], expected)
            close(interest[b, c], expected @ array(history)[b, :n])
            assert (weights[b, c, n:] == 0).all()


@pytest.mark.parametrize(("softmax", "dense"), [(True, False), (True, True), (False, False)])
@pytest.mark.parametrize("hidden", [(4,), (4, 2), (3, 4, 2)])
def test_gradient_is_that_of_finite_differences(hidden, softmax, dense):
    unit = randomise(ActivationUnit(3, hidden, softmax=softmax))
    queries = torch.randn(2, 2, 3, dtype=torch.float64, requires_grad=True)
    keys = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    packing = packing_of([4, 2], dense)
    parameters = tuple(unit.parameters())
    assert torch.autograd.gradcheck(
        lambda q, k, *_: unit.weights(q, packing.pack(k), packing), (queries, keys, *parameters)
    )


def results(unit, queries, history, mask):
    """The interest, the weights and all gradients; queries and history may come with any strides."""
    unit.zero_grad()
    leaves = [values.detach().requires_grad_() for values in (queries, history)]
    interest = unit(*leaves, mask)
    weights = unit.weigh(*leaves, mask)
    (interest.square().sum() + weights.square().sum()).backward()
    with torch.no_grad():
        torch.testing.assert_close(unit(*leaves, mask), interest)
        torch.testing.assert_close(unit.weigh(*leaves, mask), weights)
    return [interest.detach(), weights.detach(), *(leaf.grad for leaf in (*leaves, *unit.parameters()))]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("softmax", [True, False])
@pytest.mark.parametrize(
    ("width", "hidden", "candidates", "lengths"),
    [
        (32, (80, 40), 10, [50, 1, 13, 26, 7, 0, 44]),
        (5, (11,), 1, [3, 0, 9, 9]),
        (8, (13, 3, 9), 4, [0, 0, 2, 17, 8]),
        (16, (8,), 2, [4]),
        (3, (2, 2), 3, [0, 0]),
    ],
)
def test_kernel_gives_what_pytorch_gives(
    monkeypatch, keep_threads, width, hidden, candidates, lengths, softmax, threads
):
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    unit = randomise(ActivationUnit(width, hidden, softmax=softmax)).float()
    mask = torch.arange(max(*lengths, 3)) < torch.tensor(lengths)[:, None]
    queries = torch.randn(len(lengths), candidates, width)
    history = torch.randn(*mask.shape, width)
    if not library.ready(queries):
        pytest.skip("no C compiler: there are no kernels to compare")
    fast = results(unit, queries, history, mask)
    assert all(torch.equal(a, b) for a, b in zip(fast, results(unit, queries, history, mask), strict=True))
    strided = results(unit, queries.mT.contiguous().mT, history.mT.contiguous().mT, mask)
    assert all(torch.equal(a, b) for a, b in zip(fast, strided, strict=True))
    monkeypatch.setenv(library.SWITCH, "off")
    slow = results(unit, queries, history, mask)
    for a, b in zip(fast, slow, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5 * max(1.0, b.abs().max().item()))


@pytest.mark.parametrize(
    ("queries", "history", "mask"),
    [((2, 3, 16), (2, 4, 16), (2, 4)), ((2, 3, 8), (2, 4, 8), (2, 5)), ((3, 3, 8), (2, 4, 8), (2, 4))],
)
def test_shapes_that_do_not_fit_are_refused_before_the_kernel_runs(queries, history, mask):
    if not library.ready():
        pytest.skip("no C compiler: there are no kernels to guard")
    unit = ActivationUnit(8, (8,), softmax=True)
    with pytest.raises(ValueError, match="shapes do not fit"):
        unit(torch.randn(queries), torch.randn(history), torch.ones(mask, dtype=torch.bool))


@pytest.mark.parametrize("offsets", [(8, 8), (7, 16)])
def test_offsets_that_do_not_fit_are_refused_too(offsets):
    if not library.ready():
        pytest.skip("no C compiler: there are no kernels to guard")
    unit, mask = ActivationUnit(8, (8,), softmax=True), torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]]).bool()
    vectors = torch.randn(2, 4, 8)
    with pytest.raises(ValueError, match="shapes do not fit"):
        unit(vectors, vectors, mask, torch.randn(offsets))
