from itertools import pairwise

import literal
import pytest
import torch
from examples import array, close

from model_code.kernels import library
from model_code.layers import leaky_network as module
from model_code.layers.leaky_network import leaky_network

# Networks, inputs (one for each network or for all), groups, rows of a group, widths, scaled and shifted.
SHAPES = [
    (1, 1, 1, 9, (6, 5, 3), False),
    (3, 1, 1, 130, (13, 21, 7, 1), True),
    (3, 3, 1, 7, (5, 8, 3), False),
    (3, 3, 4, 25, (16, 32, 16), True),
    (1, 1, 53, 4, (32, 40, 17, 9), False),
    (4, 1, 3, 5, (1, 1, 1), True),
    (2, 1, 2, 3, (7, 3), True),  # a single layer
    (2, 2, 5, 1, (8, 16, 24, 8, 2), False),
    (4, 1, 1, 260, (192, 200, 80, 1), True),
    (3, 1, 1, 1, (6, 5, 3), True),
    (2, 1, 0, 3, (6, 5, 3), True),
    (2, 1, 1, 0, (6, 5, 3), True),
]


@pytest.fixture
def kernels(monkeypatch, keep_threads):
    if not library.ready():
        pytest.skip("no C compiler: there are no kernels to compare")
    monkeypatch.setattr(module, "LITTLE", -1)  # let threads share small networks, too


def example(networks, sources, groups, repeats, widths, scaled, *, turned=False, dtype=torch.float64):
    """Arguments of `leaky_network`; with ``turned``, every second weight lies by outputs."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(shape, dtype=torch.float64, generator=generator).to(dtype)

    weights = [draw(networks, a, b) / a**0.5 for a, b in pairwise(widths)]
    if turned:
        weights[::2] = [weight.mT.contiguous().mT for weight in weights[::2]]
    biases = [draw(networks, 1, width) for width in widths[2:]]
    normal = [1 + 0.3 * draw(networks, 1, widths[0]) for _ in range(2 * scaled)]
    inputs, start = draw(sources, groups, repeats, widths[0]), draw(networks, groups, widths[1])
    return [inputs, start, weights, biases, *normal]


def flat(arguments):
    inputs, start, weights, biases, *normal = arguments
    return [inputs, start, *weights, *biases, *normal]


def results(arguments):
    """The outputs, those without a backward pass to come, and the gradients of all arguments."""
    for value in flat(arguments):
        value.requires_grad_().grad = None
    outputs = leaky_network(*arguments)
    with torch.no_grad():
        alone = leaky_network(*arguments)
    upper = torch.cos(torch.arange(outputs.numel(), dtype=torch.float64)).view_as(outputs)
    (outputs * upper.to(outputs.dtype)).sum().backward()
    return [outputs.detach(), alone, *(value.grad for value in flat(arguments))]


@pytest.mark.parametrize("shape", SHAPES)
def test_layers_with_leaky_relu_between(shape):
    inputs, start, weights, biases, *normal = example(*shape)
    reads = [array(inputs), array(start), [array(w) for w in weights], [array(b) for b in biases]]
    expected = literal.leaky_network(*reads, *map(array, normal))
    close(leaky_network(inputs, start, weights, biases, *normal), expected)


@pytest.mark.parametrize("threads", [1, 2, 5, 6])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_kernel_gives_what_the_formula_gives(monkeypatch, kernels, shape, turned, threads):
    torch.set_num_threads(threads)
    exact = results(example(*shape))
    arguments = example(*shape, turned=turned, dtype=torch.float32)
    fast = results(arguments)
    assert all(torch.equal(a, b) for a, b in zip(fast, results(arguments), strict=True))
    monkeypatch.setenv(library.SWITCH, "off")
    slow = results(arguments)
    for a, b, c in zip(fast, slow, exact, strict=True):
        scale = max(1.0, c.abs().max().item() if c.numel() else 0)
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5 * scale)
        torch.testing.assert_close(a.double(), c, rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.parametrize("shape", [(3, 1, 4, 6, (10, 12, 3), True), (1, 1, 30, 4, (8, 20, 5), False)])
def test_memory_in_any_order(kernels, shape):
    arguments = example(*shape, dtype=torch.float32)
    strided = [
        [value.mT.contiguous().mT for value in part] if isinstance(part, list) else part.mT.contiguous().mT
        for part in arguments
    ]
    strided[0] = torch.stack([arguments[0], arguments[0]], -1)[..., 0]
    wide = [torch.cat([weight, weight], -1)[..., : weight.shape[-1]] for weight in arguments[2]]
    expected = leaky_network(*arguments)
    for weights in (strided[2], wide):
        assert torch.equal(leaky_network(*strided[:2], weights, *strided[3:]), expected)


def test_a_value_that_is_no_number_stays_in_its_row(kernels):
    inputs, *others = example(2, 1, 1, 20, (6, 5, 3), True, dtype=torch.float32)
    expected = leaky_network(inputs, *others)
    inputs[0, 0, 7, 2] = torch.nan
    outputs = leaky_network(inputs, *others)
    assert outputs[:, :, 7].isnan().all()
    rest = torch.arange(20) != 7
    assert torch.equal(outputs[:, :, rest], expected[:, :, rest])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "change",
    [
        {0: (2, 3, 5, 6)},
        {0: (1, 3, 5, 7)},
        {0: (1, 2, 5, 6)},
        {0: (3, 5, 6)},
        {1: (3, 3, 7)},
        {1: (3, 8)},
        {2: (3, 8, 6)},
        {3: (3, 8, 5)},
        {4: (3, 4)},
        {4: (1, 1, 4)},
        {5: (3, 1, 1)},
        {6: (3, 6)},
    ],
)
def test_shapes_that_do_not_fit_are_refused(change, dtype):
    shapes = [(1, 3, 5, 6), (3, 3, 8), (3, 6, 8), (3, 8, 4), (3, 1, 4), (3, 1, 6), (3, 1, 6)]

    def call(shapes):
        inputs, start, first, second, bias, *normal = (torch.zeros(shape, dtype=dtype) for shape in shapes)
        return leaky_network(inputs, start, [first, second], [bias], *normal)

    assert call(shapes).shape == (3, 3, 5, 4)
    with pytest.raises(ValueError, match="shapes do not fit"):
        call([change.get(place, shape) for place, shape in enumerate(shapes)])


def test_a_scale_wants_a_shift_and_a_layer_a_bias():
    inputs, start, weights, biases, scale, shift = example(3, 1, 1, 4, (6, 5, 3), True)
    for arguments in (
        (weights, biases, scale),
        (weights, biases, None, shift),
        (weights, [], scale, shift),
        (weights[:1], biases, scale, shift),
    ):
        with pytest.raises(ValueError, match="shapes do not fit"):
            leaky_network(inputs, start, *arguments)
