"""DemiNet as a whole against its equations written out, one history and one candidate at a time."""

import literal
import numpy as np
import pytest
import torch
from examples import array, close, log_shape, neighbour_sets, random_group, randomise

from model_code.layers.graph import Edges, add_views
from model_code.models import deminet
from model_code.models.deminet import DemiNet, DemiNetSettings
from model_code.settings import SettingsError

LENGTHS = [6, 1, 3, 7]
SMALL = {"embedding_width": 4, "neighbors": 2, "threshold": 0.4, "hidden": (7, 5), "interests": 3}
VARIATIONS = [{}, {"residual": True, "product": True, "user_embedding": True}, {"interests": 1, "layers": 1}]


def small(**changes):
    return randomise(DemiNet(DemiNetSettings(**{**SMALL, **changes}), log_shape()))


def dropped(sets, kept):
    """What a view keeps of a graph, out of what it keeps of the complete one."""
    return {
        name: [[j for j in around if j in kept[name][i]] for i, around in enumerate(sets[name])]
        for name in sets
    }


def reference_interests(model, group, b, n, view=None):
    """V (C, K, d) of history b, on its graph or on a view of it."""
    s = model.settings
    history, candidates = (array(x)[b].astype(float) for x in model.nodes(group))
    history = history[:n]
    sets = literal.neighbours(history, group.history_item[b, :n].tolist(), s.neighbors, s.threshold)
    if view is not None:
        sets = dropped(sets, view[b])
    nodes = history
    for layer in model.layers:
        weights = (
            layer.projection.weight,
            layer.centre,
            layer.neighbour,
            layer.relation,
            layer.relation_bias,
        )
        refined = literal.dependency_attention(nodes, sets, *(array(w) for w in weights))
        nodes = nodes + refined if s.residual else refined
    nodes = nodes + array(model.positions)[:n]
    width = 2 * s.embedding_width
    hidden = array(model.extraction.hidden).reshape(s.interests, width, 2 * width)
    bias = array(model.extraction.hidden_bias).reshape(s.interests, width)
    score = array(model.extraction.score).reshape(s.interests, width)
    return np.array([literal.interests(nodes, c, hidden, bias, score) for c in candidates])


def reference_forward(model, group, statistics=(None, None)):
    """Logits (B, C) and omega (B, C, K)."""
    s = model.settings
    rows, omega = [], []
    for b, n in enumerate(group.length.tolist()):
        history, candidates = (array(x)[b] for x in model.nodes(group))
        summary = sum(history[:n]) / n
        for vectors, candidate in zip(reference_interests(model, group, b, n), candidates, strict=True):
            context = np.concatenate([summary, candidate])
            parts = [*vectors, context]
            if s.product:
                parts.append(summary * candidate)
            if s.user_embedding:
                parts.append(array(model.users.weight)[group.user[b]])
            rows.append(np.concatenate(parts))
            if s.interests == 1:
                omega.append(np.ones(1))
                continue
            net = model.confidence
            layers = [(array(layer.weight), array(layer.bias)) for layer in (net.first, *net.others)]
            omega.append(literal.confidence(vectors, context, layers, array(net.prototypes)))
    experts = model.experts
    scores = literal.experts(
        np.array(rows), array(experts.scale)[:, 0], array(experts.shift)[:, 0],
        [array(w) for w in experts.weights], [array(b)[:, 0] for b in experts.biases], statistics,
    )  # fmt: skip
    shape = group.candidate_item.shape
    omega = np.array(omega)
    return (omega * scores).sum(1).reshape(shape), omega.reshape(*shape, -1)


@pytest.mark.parametrize("changes", VARIATIONS)
def test_evaluation_equals_the_equations(changes):
    model = small(**changes).eval()
    group = random_group(LENGTHS, candidates=3)
    norm = model.experts.norm
    expected, omega = reference_forward(model, group, (array(norm.running_mean), array(norm.running_var)))
    logits, losses = model(group)
    close(logits, expected)
    assert losses == {}
    interests = model.interests(group)
    close(interests.confidence, omega)
    assert model.settings.interests == 1 or interests.confidence.max() < 0.9  # no expert has it all
    torch.testing.assert_close(interests.confidence.sum(-1), torch.ones(4, 3, dtype=torch.float64))
    for b, n in enumerate(LENGTHS):
        close(interests.vectors[b], reference_interests(model, group, b, n))


@pytest.mark.parametrize("changes", VARIATIONS)
def test_training_equals_the_equations_with_both_views(changes):
    model = small(**changes).train()
    group = random_group(LENGTHS, candidates=3)
    torch.manual_seed(11)
    logits, losses = model(group)
    close(logits, reference_forward(model, group)[0])

    torch.manual_seed(11)
    complete = Edges(torch.ones(4, 2, 2, 7).bool(), torch.ones(4, 7, 7).bool(), torch.ones(4, 7).bool())
    views = add_views(complete, model.settings.edge_dropout)
    first, second = ([], [])
    for view, interests in ((1, first), (2, second)):
        kept = [neighbour_sets(Edges(*(kind[view, b] for kind in views))) for b in range(len(LENGTHS))]
        for b, n in enumerate(LENGTHS):
            interests.extend(reference_interests(model, group, b, n, kept))
    assert set(losses) == set(model.loss_weights) == {"self_supervision"}
    close(losses["self_supervision"], literal.self_supervision(first, second))
    assert losses["self_supervision"] > 0


def test_beta_zero_has_no_views():
    model = small(beta=0.0).train()
    group = random_group(LENGTHS, candidates=3)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    assert model(group).losses == {} == model.loss_weights
    assert torch.equal(torch.get_rng_state(), state)


def test_views_depend_on_the_seed_but_the_logits_do_not():
    model = small().train()
    group = random_group(LENGTHS, candidates=3)
    outputs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outputs.append(model(group))
    losses = [o.losses["self_supervision"] for o in outputs]
    assert losses[0] == losses[1] != losses[2]
    assert torch.equal(outputs[0].logits, outputs[2].logits)


def test_embedding_dropout_changes_training_alone_and_leaves_the_graph(monkeypatch):
    plain, dropping = small(beta=0.0), small(beta=0.0, embedding_dropout=0.5)
    group = random_group(LENGTHS, candidates=3)
    assert torch.equal(plain.eval()(group).logits, dropping.eval()(group).logits)
    build, graphs = deminet.build_edges, []
    monkeypatch.setattr(
        deminet, "build_edges", lambda *args, **sizes: graphs.append(build(*args, **sizes)) or graphs[-1]
    )
    assert not torch.equal(plain.train()(group).logits, dropping.train()(group).logits)
    assert all(torch.equal(*kinds) for kinds in zip(*graphs, strict=True))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("embedding_width", 0), ("embedding_scale", 0.0), ("neighbors", 0), ("threshold", 1.0), ("layers", 0),
        ("heads", 3), ("interests", 0), ("hidden", ()), ("hidden", (8, 0)),
        ("edge_dropout", 1.0), ("beta", -0.1), ("embedding_dropout", 1.0),
    ],
)  # fmt: skip
def test_bad_settings_are_named(key, value):
    with pytest.raises(SettingsError, match=f"deminet.{key} = "):
        DemiNetSettings(**{key: value})
