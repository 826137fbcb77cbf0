"""The operators that may stand in the place of dependency attention."""

import literal
import numpy as np
import pytest
import torch
from examples import array, close, neighbour_sets, packing_of, random_group, randomise

from model_code.layers.graph import Edges, Graph, add_views, build_edges
from model_code.layers.graph_operators import GRAPH_OPERATORS

LENGTHS = [6, 1, 3]
WIDTH, HEADS = 8, 2


def refine(name, layer, nodes, sets):
    if name == "gat":
        weights = (layer.projection.weight, layer.centre, layer.neighbour)
        return literal.graph_attention(nodes, sets, *(array(w) for w in weights))
    if name == "gcmc":
        return literal.graph_convolution(nodes, sets, np.split(array(layer.relations.weight), 4, axis=1))
    return literal.light_graph_convolution(nodes, sets)


@pytest.fixture(params=["gat", "gcmc", "lightgcn"])
def name(request):
    return request.param


@pytest.fixture
def nodes():
    torch.manual_seed(1)
    return torch.randn(3, 6, WIDTH, dtype=torch.float64, requires_grad=True)


@pytest.fixture
def views(nodes):
    edges = build_edges(nodes, random_group(LENGTHS, candidates=1), neighbors=2, threshold=0.3)
    return add_views(edges, 0.6)


@pytest.mark.parametrize("dense", [True, False])
def test_equals_the_equations_on_the_graph_and_its_views(name, nodes, views, dense):
    layer = randomise(GRAPH_OPERATORS[name](WIDTH, HEADS))
    refined = layer(nodes, Graph(views, nodes.dtype), packing_of(LENGTHS, dense=dense))
    isolated = 0
    for v in range(3):
        for b, n in enumerate(LENGTHS):
            sets = neighbour_sets(Edges(*(kind[v, b] for kind in views)))
            sets = {relation: around[:n] for relation, around in sets.items()}
            isolated += sum(not around for around in literal.union(sets))
            close(refined[v, b, :n], refine(name, layer, array(nodes)[b, :n], sets))
            assert (refined[v, b, n:] == 0).all()
    assert isolated > 0
    refined.square().sum().backward()
    assert nodes.grad.isfinite().all()
    assert nodes.grad[0].abs().amin(-1).gt(0).any()
    assert (nodes.grad[1, 1:] == 0).all()  # padding


def test_a_second_layer_reads_nodes_that_have_views(name, nodes, views):
    layer = randomise(GRAPH_OPERATORS[name](WIDTH, HEADS))
    graph, packing = Graph(views, nodes.dtype), packing_of(LENGTHS)
    together = layer(layer(nodes, graph, packing), graph, packing)
    for v in range(3):
        alone = Graph(Edges(*(kind[v] for kind in views)), nodes.dtype)
        torch.testing.assert_close(together[v], layer(layer(nodes, alone, packing), alone, packing))
