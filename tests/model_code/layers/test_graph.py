import literal
import pytest
import torch
from examples import SIZES, neighbour_sets, random_group, randomise

from model_code.groups import UNKNOWN
from model_code.kernels import library
from model_code.layers.graph import Edges, add_views, adjacency, build_edges
from model_code.layers.node_embedding import NodeEmbedding
from model_code.replicas import Shard, sharing

LENGTHS = [7, 1, 4, 2]


@pytest.fixture
def group():
    return random_group(LENGTHS, candidates=1)


@pytest.fixture
def nodes(group):
    return randomise(NodeEmbedding(SIZES, width=2, scale=1.0))(group)[0]


@pytest.mark.parametrize(("epsilon", "threshold"), [(3, 0.7), (1, -0.2), (10, 0.5)])
def test_edges_are_those_of_the_equations(group, nodes, epsilon, threshold):
    edges = build_edges(nodes, group, neighbors=epsilon, threshold=threshold)
    similar = 0
    for b, n in enumerate(LENGTHS):
        sets = literal.neighbours(
            nodes[b, :n].detach().numpy(), group.history_item[b, :n].tolist(), epsilon, threshold
        )
        found = neighbour_sets(Edges(*(kind[b] for kind in edges)))
        assert found == {name: around + [[]] * (max(LENGTHS) - n) for name, around in sets.items()}
        similar += sum(map(len, sets["sim"]))
    assert similar > 0


@pytest.mark.parametrize("epsilon", [1, 3, 10])
def test_adjacency_holds_all_relations_alike(group, nodes, epsilon):
    views = add_views(build_edges(nodes, group, neighbors=epsilon, threshold=0.5), 0.6)
    linked = adjacency(views)
    for v in range(3):
        for b in range(len(LENGTHS)):
            sets = neighbour_sets(Edges(*(kind[v, b] for kind in views)))
            for relation, name in zip(linked[v, b], literal.RELATIONS, strict=True):
                assert [row.nonzero().flatten().tolist() for row in relation] == sets[name]


def test_unknown_items_are_not_similar_to_each_other(group, nodes):
    unknown = group.history_item == UNKNOWN
    assert (unknown.sum(1) > 1).any()
    edges = build_edges(nodes, group, neighbors=3, threshold=-0.999)
    assert not (edges.similar & unknown[:, :, None] & unknown[:, None, :]).any()
    assert (edges.similar & unknown[:, :, None]).any()


def test_no_gradient_passes_through_the_graph(group, nodes):
    assert nodes.requires_grad
    edges = build_edges(nodes, group, neighbors=3, threshold=0.7)
    assert not edges.similar.requires_grad


def random_edges(batch, length=8, reach=3, share=0.5):
    return Edges(
        torch.rand(batch, 2, reach, length) < share,
        torch.rand(batch, length, length) < share,
        torch.rand(batch, length) < share,
    )


def test_views_keep_each_edge_with_its_probability():
    edges = random_edges(300)
    torch.manual_seed(5)
    views = add_views(edges, 0.6)
    for full, stacked in zip(edges, views, strict=True):
        assert torch.equal(stacked[0], full)
        assert not (stacked[1:] & ~full).any()
        first, second = stacked[1][full].double(), stacked[2][full].double()
        assert abs(first.mean() - 0.4) < 0.05
        assert abs(second.mean() - 0.4) < 0.05
        assert abs((first * second).mean() - 0.16) < 0.05  # independent of each other
    # i -> j and j -> i, and the relations, are dropped independently.
    near, similar, itself = (kind[1].double() for kind in add_views(random_edges(300, share=1.1), 0.6))
    assert abs((similar * similar.mT)[..., ~torch.eye(8, dtype=torch.bool)].mean() - 0.16) < 0.02
    for first, second in (
        (similar[:, :-1].diagonal(1, -2, -1), near[:, 1, 0, :-1]),
        (near[:, 0], near[:, 1]),
        (near[:, 0, 0], near[:, 0, 1]),
        (near[:, 0, 0], itself),
    ):
        assert abs((first * second).mean() - 0.16) < 0.02


def test_a_share_of_a_batch_has_the_views_that_it_has_in_the_batch():
    edges = random_edges(7)
    torch.manual_seed(3)
    whole = add_views(edges, 0.6)
    torch.manual_seed(3)
    with sharing(Shard(2, 5, 7)):
        part = add_views(Edges(*(kind[2:5] for kind in edges)), 0.6)
    for kind, expected in zip(part, whole, strict=True):
        assert torch.equal(kind, expected[:, 2:5])


def test_views_follow_the_global_generator():
    edges = random_edges(2, share=1.1)
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(add_views(edges, 0.5))
    for first, again, other in zip(*drawn, strict=True):
        assert torch.equal(first, again)
        assert not torch.equal(first, other)


def test_no_dropout_keeps_all():
    edges = random_edges(2, share=1.1)
    assert all(kind.all() for kind in add_views(edges, 0.0))


def test_dropout_of_almost_all_keeps_almost_nothing():
    views = add_views(random_edges(20, share=1.1), 1 - 1e-9)
    assert all(kind[1:].double().mean() < 1e-2 for kind in views)


LONGER = [20, 0, 37, 1, 16, 5, 12]


def example(width, dtype=torch.float32):
    """Histories with unknown items, and nodes in all directions; some repeat, and one has none."""
    group = random_group(LONGER, candidates=1, length=40)
    torch.manual_seed(2)
    nodes = torch.randn(len(LONGER), 40, width, dtype=torch.float64)
    nodes[:, 1::4] = nodes[:, 2:3] * 3
    nodes[2, 5] = 0
    return nodes.to(dtype).requires_grad_(), group


def built(nodes, group, **sizes):
    torch.manual_seed(4)
    return build_edges(nodes, group, **sizes)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("width", "neighbors", "threshold"), [(8, 3, 0.7), (32, 1, 0.1), (3, 50, -0.2), (12, 10, 0.0)]
)
@pytest.mark.parametrize("dropout", [None, 0.0, 0.6, 1 - 1e-9])
def test_kernel_gives_what_pytorch_gives(
    monkeypatch, keep_threads, width, neighbors, threshold, dropout, threads
):
    torch.set_num_threads(threads)
    nodes, group = example(width)
    if not library.ready(nodes):
        pytest.skip("no C compiler: there are no kernels to compare")
    sizes = {"neighbors": neighbors, "threshold": threshold, "dropout": dropout}
    fast = built(nodes, group, **sizes)
    strided = group._replace(history_item=group.history_item.mT.contiguous().mT, length=group.length.int())
    again = built(nodes.mT.contiguous().mT, strided, **sizes)
    assert all(torch.equal(a, b) for a, b in zip(fast, again, strict=True))
    monkeypatch.setenv(library.SWITCH, "off")
    slow = built(nodes, group, **sizes)
    directions = torch.nn.functional.normalize(nodes.detach().double(), dim=-1)
    # Near the threshold rounding decides.
    undecided = (directions @ directions.mT - threshold).abs() < 1e-6
    assert undecided.double().mean() < 0.1
    for name, a, b in zip(Edges._fields, fast, slow, strict=True):
        assert a.dtype == b.dtype == torch.bool
        assert a.shape == b.shape
        assert not ((a != b) & ~(undecided if name == "similar" else torch.tensor(False))).any()
    assert fast.similar.any() or dropout


def test_shares_of_a_batch_have_the_same_views_by_the_kernel():
    nodes, group = example(8)
    sizes = {"neighbors": 3, "threshold": 0.5, "dropout": 0.6}
    whole = built(nodes, group, **sizes)
    with sharing(Shard(2, 5, 7)):
        part = built(nodes[2:5], type(group)(*(field[2:5] for field in group)), **sizes)
    for kind, expected in zip(part, whole, strict=True):
        assert torch.equal(kind, expected[:, 2:5])


def test_a_slot_that_is_not_valid_has_no_edge_whatever_it_holds():
    nodes, group = example(8)
    expected = built(nodes, group, neighbors=3, threshold=0.5)
    with torch.no_grad():
        nodes[~group.mask] = float("nan")
        nodes[0, 0] = float("nan")
    edges = built(nodes, group, neighbors=3, threshold=0.5)
    assert not edges.similar[0, 0].any()
    assert not edges.similar[0, :, 0].any()
    assert torch.equal(edges.similar[0, 1:, 1:], expected.similar[0, 1:, 1:])
    assert torch.equal(edges.similar[1:], expected.similar[1:])


def test_shapes_that_do_not_fit_are_refused_before_the_kernel_runs():
    nodes, group = example(8)
    if not library.ready(nodes):
        pytest.skip("no C compiler: there are no kernels to guard")
    for wrong in (nodes[:, :39], nodes[:6]):
        with pytest.raises(ValueError, match="shapes do not fit"):
            build_edges(wrong, group, neighbors=3, threshold=0.5)
