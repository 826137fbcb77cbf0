"""Small random groups, and weights that are nowhere trivial."""

import numpy as np
import pytest
import torch

from model_code.groups import Group, LogShape, VocabularySizes
from model_code.kernels import library
from model_code.layers.graph import offsets
from model_code.layers.packing import Packing

SIZES = VocabularySizes(items=30, categories=8, users=9)


def log_shape(max_length=7, sizes=SIZES):
    return LogShape(sizes, max_length, torch.arange(sizes.items))


def random_group(lengths, candidates, length=None, seed=0, sizes=SIZES):
    """Histories of the given lengths, with unknown (1) and repeated items, padded to ``length``."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor(lengths)
    slots = length or int(lengths.max())
    valid = torch.arange(slots) < lengths[:, None]

    def ids(high, *shape):
        return torch.randint(1, high, shape, generator=generator)

    batch = len(lengths)
    item = ids(sizes.items, batch, slots)
    item[:, ::3] = torch.where(
        item[:, ::3] % 2 == 0, 1, item[:, :1]
    )  # unknown items, and repeats of the first
    return Group(
        history_item=item * valid,
        history_category=ids(sizes.categories, batch, slots) * valid,
        length=lengths,
        candidate_item=ids(sizes.items, batch, candidates),
        candidate_category=ids(sizes.categories, batch, candidates),
        user=ids(sizes.users, batch),
    )


def packing_of(lengths, dense=False):
    """The packing of histories of these lengths; ``dense`` as on a device other than the CPU."""
    lengths = torch.tensor(lengths)
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    if dense:
        return Packing(mask, None, None)
    return Packing.of_mask(mask)


def randomise(module, seed=0, scale=0.3):
    """Draw every weight and running statistic anew, in float64, so that no zero or one hides a mistake."""
    torch.manual_seed(seed)
    module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter) * scale)
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_()
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 2)
        for child in module.modules():
            if isinstance(child, torch.nn.Embedding):
                child.weight[0] = 0
    return module


def neighbour_sets(edges):
    """Neighbours of each node by relation, from the edges of one graph."""
    near, similar, itself = edges
    nodes = range(len(itself))
    sets = {
        name: [
            [i + o for o, there in zip(range(*reach), near[r, :, i].tolist(), strict=True) if there]
            for i in nodes
        ]
        for r, (name, reach) in enumerate(zip(("in", "out"), offsets(near.shape[-2]), strict=True))
    }
    sets["sim"] = [row.nonzero().flatten().tolist() for row in similar]
    sets["self"] = [[i] if itself[i] else [] for i in nodes]
    return sets


def array(tensor):
    return tensor.detach().numpy()


def close(tensor, expected):
    np.testing.assert_allclose(tensor.detach().numpy(), expected, rtol=1e-9, atol=1e-9)


def assert_kernel_agrees(monkeypatch, results):
    """What ``results()`` gives is the same with kernels, bit by bit each time, and close to it without."""
    if not library.ready():
        pytest.skip("no C compiler: there are no kernels to compare")
    fast = results()
    assert all(torch.equal(a, b) for a, b in zip(fast, results(), strict=True))
    monkeypatch.setenv(library.SWITCH, "off")
    for a, b in zip(fast, results(), strict=True):
        scale = max(1.0, b.abs().max().item() if b.numel() else 0)
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5 * scale)


def weight_and_bias(layer):
    """Of a linear map, or the scale and shift of a normalisation."""
    return array(layer.weight), array(layer.bias)
