import literal
import pytest
import torch
from examples import SIZES, random_group, randomise

from model_code.groups import UNKNOWN
from model_code.layers.graph import Edges, add_views, build_edges
from model_code.layers.node_embedding import NodeEmbedding

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
        for r, relation in enumerate(("in", "out", "sim")):
            found = [row.nonzero().flatten().tolist() for row in edges.pair[b, r]]
            assert found == sets[relation] + [[]] * (max(LENGTHS) - n)
        assert edges.itself[b].nonzero().flatten().tolist() == list(range(n))
        similar += sum(map(len, sets["sim"]))
    assert similar > 0


def test_unknown_items_are_not_similar_to_each_other(group, nodes):
    unknown = group.history_item == UNKNOWN
    assert (unknown.sum(1) > 1).any()
    edges = build_edges(nodes, group, neighbors=3, threshold=-0.999)
    assert not (edges.pair[:, 2] & unknown[:, :, None] & unknown[:, None, :]).any()
    assert (edges.pair[:, 2] & unknown[:, :, None]).any()


def test_no_gradient_passes_through_the_graph(group, nodes):
    assert nodes.requires_grad
    edges = build_edges(nodes, group, neighbors=3, threshold=0.7)
    assert not edges.pair.requires_grad


def test_views_keep_each_edge_with_its_probability():
    edges = Edges(torch.rand(200, 3, 8, 8) < 0.5, torch.rand(200, 8) < 0.5)
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
    kept = add_views(Edges(torch.ones_like(edges.pair), edges.itself), 0.6).pair[1].double()
    assert abs((kept * kept.mT)[..., ~torch.eye(8, dtype=torch.bool)].mean() - 0.16) < 0.02
    assert abs((kept[:, 0] * kept[:, 1]).mean() - 0.16) < 0.02


def test_views_follow_the_global_generator():
    edges = Edges(torch.ones(2, 3, 4, 4, dtype=torch.bool), torch.ones(2, 4, dtype=torch.bool))
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(add_views(edges, 0.5))
    assert torch.equal(drawn[0].pair, drawn[1].pair)
    assert torch.equal(drawn[0].itself, drawn[1].itself)
    assert not torch.equal(drawn[0].pair, drawn[2].pair)


def test_no_dropout_keeps_all():
    edges = Edges(torch.ones(2, 3, 4, 4, dtype=torch.bool), torch.ones(2, 4, dtype=torch.bool))
    assert add_views(edges, 0.0).pair.all()
