"""DMIN as a whole against its equations written out, one history and one candidate at a time."""

import copy

import literal
import numpy as np
import pytest
import torch
from examples import array, close, log_shape, random_group, randomise, weight_and_bias

from model_code.groups import PADDING
from model_code.models.dmin import DMIN, DMINSettings
from model_code.settings import SettingsError

LENGTHS = [6, 1, 3, 7, 0]
SMALL = {
    "embedding_width": 4, "heads": 2, "position_width": 3, "unit_hidden": (6, 5), "hidden": (7, 4),
    "next_item_hidden": (5, 3),
}  # fmt: skip


def small(**changes):
    return randomise(DMIN(DMINSettings(**{**SMALL, **changes}), log_shape()))


def attended(attention, nodes):
    weights = (attention.query.weight, attention.query.bias, attention.key.weight, attention.value.weight)
    return literal.causal_attention(nodes, *map(array, weights), attention.heads)


def refine(block, nodes, found):
    parts = [weight_and_bias(part) for part in (block.projection, block.norm, block.wide, block.narrow)]
    return [literal.refinement(x, a, *parts) for x, a in zip(nodes, found, strict=True)]


def reference_states(model, nodes):
    """The refined history: a vector for each event."""
    heads = attended(model.refiner.attention, nodes)
    together = [np.concatenate(event) for event in zip(*heads, strict=True)]
    return refine(model.refiner.refinement, nodes, together)


def reference_interests(model, states, candidate):
    heads = attended(model.heads.attention, states)
    interests = []
    for head, block, unit in zip(heads, model.heads.refinements, model.units, strict=True):
        keys = refine(block, states, head)
        layers = [weight_and_bias(layer) for layer in (unit.unit.first, *unit.unit.others)]
        layers.append((array(unit.unit.score.weight), 0.0))
        places = array(model.positions)[: len(keys)]
        interest = literal.positioned_unit(candidate, keys, places, weight_and_bias(unit.alignment), layers)
        interests.append(interest if keys else np.zeros_like(candidate))
    return interests


def reference_forward(model, group, statistics):
    """Logits (B, C) and the auxiliary loss; ``statistics`` of each Dice, or (None, None) for the batch's."""
    rows, losses = [], []
    for b, n in enumerate(group.length.tolist()):
        history, candidates = (array(x)[b] for x in model.nodes(group))
        nodes = history[:n]
        states = reference_states(model, nodes)
        summary = sum(nodes) / n if n else np.zeros_like(candidates[0])
        for q in candidates:
            parts = [q, summary, q * summary, *reference_interests(model, states, q)]
            if model.users is not None:
                parts.append(array(model.users.weight)[group.user[b]])
            rows.append(np.concatenate(parts))
        if model.next_item is not None:
            layers = [weight_and_bias(layer) for layer in (model.next_item.first, *model.next_item.others)]
            losses.extend(literal.next_item(states, nodes, candidates[1:], layers))
    *hidden, last = model.head.layers
    rows = np.array(rows)
    for layer, dice, known in zip(hidden[::2], hidden[1::2], statistics, strict=True):
        rows = literal.dice(rows @ array(layer.weight).T + array(layer.bias), array(dice.alpha), known)
    logits = (rows @ array(last.weight).T + array(last.bias)).reshape(group.candidate_item.shape)
    return logits, sum(losses) / max(len(losses), 1)


@pytest.mark.parametrize("changes", [{}, {"next_item": 0.0, "user_embedding": True}, {"heads": 4}])
def test_equals_the_equations(changes):
    model = small(**changes)
    group = random_group(LENGTHS, candidates=4)
    dices = model.head.layers[1:-1:2]
    known = [(array(d.norm.running_mean).copy(), array(d.norm.running_var).copy()) for d in dices]
    logits, losses = model.eval()(group)
    close(logits, reference_forward(model, group, known)[0])
    assert losses == {}
    logits, losses = model.train()(group)
    expected, loss = reference_forward(model, group, [(None, None)] * 2)
    close(logits, expected)
    assert set(losses) == set(model.loss_weights)
    if "next_item" in changes:
        assert losses == {}
    else:
        close(losses["next_item"], loss)
        assert loss > 0


def test_the_auxiliary_loss_is_on_with_weight_1_by_default():
    assert DMIN(DMINSettings(), log_shape()).loss_weights == {"next_item": 1.0}
    assert small(next_item=0.5).loss_weights == {"next_item": 0.5}


def test_the_auxiliary_loss_ignores_padding_and_draws_nothing():
    model = randomise(DMIN(DMINSettings(**SMALL), log_shape(max_length=12))).train()
    group = random_group(LENGTHS, candidates=3)
    padding = torch.full((5, 5), PADDING)
    longer = group._replace(
        history_item=torch.cat([group.history_item, padding], 1),
        history_category=torch.cat([group.history_category, padding], 1),
    )
    state = torch.get_rng_state()
    expected = copy.deepcopy(model)(group).losses["next_item"]
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    close(model(longer).losses["next_item"], array(expected))


def test_the_order_of_a_history_matters():
    model = small().eval()
    group = random_group([6, 6], candidates=3)
    turned = group._replace(
        history_item=group.history_item.flip(1), history_category=group.history_category.flip(1)
    )
    assert not torch.allclose(model(turned).logits, model(group).logits)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("embedding_width", 0), ("embedding_scale", -1.0), ("heads", 0), ("heads", 3), ("position_width", 0),
        ("unit_hidden", ()), ("hidden", (0,)), ("next_item_hidden", (5, 0)), ("next_item", -0.1),
    ],
)  # fmt: skip
def test_bad_settings_are_named(key, value):
    with pytest.raises(SettingsError, match=f"dmin.{key} = "):
        DMINSettings(**{key: value})
