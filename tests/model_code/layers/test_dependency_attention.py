import literal
import pytest
import torch
from examples import array, assert_kernel_agrees, close, neighbour_sets, packing_of, random_group, randomise

from model_code.layers.dependency_attention import DependencyAttention
from model_code.layers.graph import Edges, Graph, add_views, build_edges

LENGTHS = [6, 1, 3]


def weights(layer):
    return [
        array(p)
        for p in (
            layer.projection.weight, layer.centre, layer.neighbour, layer.relation, layer.relation_bias,
        )
    ]  # fmt: skip


@pytest.fixture
def nodes():
    torch.manual_seed(1)
    return torch.randn(3, 6, 8, dtype=torch.float64, requires_grad=True)


@pytest.fixture
def edges(nodes):
    return build_edges(nodes, random_group(LENGTHS, candidates=1), neighbors=2, threshold=0.3)


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_equations_on_the_graph_and_on_views_with_dropped_edges(nodes, edges, heads):
    layer = randomise(DependencyAttention(8, heads))
    views = add_views(edges, 0.6)
    refined = layer(nodes, Graph(views, nodes.dtype), packing_of(LENGTHS))
    empty = 0
    for v in range(3):
        for b, n in enumerate(LENGTHS):
            sets = neighbour_sets(Edges(*(kind[v, b] for kind in views)))
            sets = {name: around[:n] for name, around in sets.items()}
            empty += sum(not around for relation in sets.values() for around in relation)
            close(refined[v, b, :n], literal.dependency_attention(array(nodes)[b, :n], sets, *weights(layer)))
            assert (refined[v, b, n:] == 0).all()
    assert empty > 10


def test_views_in_one_pass_equal_passes_one_by_one(nodes, edges):
    layer = randomise(DependencyAttention(8, 2))
    views = add_views(edges, 0.6)
    together = layer(nodes, Graph(views, nodes.dtype), packing_of(LENGTHS))
    for v in range(3):
        torch.testing.assert_close(
            together[v],
            layer(nodes, Graph(Edges(*(kind[v] for kind in views)), nodes.dtype), packing_of(LENGTHS)),
        )


def test_an_isolated_node_is_zero_with_a_finite_gradient(nodes):
    layer = randomise(DependencyAttention(8, 2))
    edges = Edges(torch.zeros(3, 2, 2, 6).bool(), torch.zeros(3, 6, 6).bool(), torch.zeros(3, 6).bool())
    edges.itself[0, 0] = True
    refined = layer(nodes, Graph(edges, nodes.dtype), packing_of(LENGTHS))
    refined.sum().backward()
    assert (refined[0, 1:] == 0).all()
    assert (refined[1:] == 0).all()
    assert refined[0, 0].abs().min() > 0
    assert all(p.grad.isfinite().all() for p in layer.parameters())
    assert nodes.grad.isfinite().all()
    assert (nodes.grad[1:] == 0).all()


@pytest.mark.parametrize("dense", [False, True])
def test_gradient_is_that_of_finite_differences(nodes, edges, dense):
    layer = randomise(DependencyAttention(8, 2))
    views = add_views(edges, 0.5)
    graph, inputs = Graph(views, nodes.dtype), (nodes, *layer.parameters())
    packing = packing_of(LENGTHS, dense)
    assert torch.autograd.gradcheck(lambda x, *_: layer(x, graph, packing), inputs, fast_mode=True)


def test_a_history_shorter_than_the_reach(nodes):
    layer = randomise(DependencyAttention(8, 2))
    group = random_group([2, 1], candidates=1)
    short = nodes[:2, :2].detach().requires_grad_()
    edges = build_edges(short, group, neighbors=5, threshold=0.3)
    refined = layer(short, Graph(edges, short.dtype), packing_of([2, 1]))
    for b, n in enumerate([2, 1]):
        sets = {
            name: around[:n] for name, around in neighbour_sets(Edges(*(kind[b] for kind in edges))).items()
        }
        close(refined[b, :n], literal.dependency_attention(array(short)[b, :n], sets, *weights(layer)))
    assert torch.autograd.gradcheck(lambda x: layer(x, Graph(edges, x.dtype), packing_of([2, 1])), short)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("views", [None, "of shared nodes", "of nodes of their own"])
@pytest.mark.parametrize(("lengths", "heads"), [([6, 0, 3, 1], 2), ([19, 24, 2], 1), ([0, 1], 2)])
def test_kernel_gives_what_pytorch_gives(monkeypatch, keep_threads, lengths, heads, views, threads):
    torch.set_num_threads(threads)
    layer = randomise(DependencyAttention(16, heads)).float()
    group = random_group(lengths, candidates=1)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    edges = build_edges(torch.randn(*mask.shape, 3), group, neighbors=3, threshold=0.3)
    edges = edges if views is None else add_views(edges, 0.6)
    nodes = torch.randn(*((3,) if views == "of nodes of their own" else ()), *mask.shape, 16)
    packing, upper = packing_of(lengths), torch.randn(*edges.itself.shape, 16)

    def results():
        inputs = (nodes.clone().requires_grad_(), *layer.parameters())
        refined = layer(inputs[0], Graph(edges, nodes.dtype), packing)
        return refined.detach(), *torch.autograd.grad(refined, inputs, upper)

    assert_kernel_agrees(monkeypatch, results)
