"""DIEN as a whole against its equations written out."""

import literal
import numpy as np
import pytest
import torch
from examples import array, close, log_shape, random_group, randomise

from model_code.models.dien import DIEN, DIENSettings
from model_code.settings import SettingsError, parse

LENGTHS = [6, 1, 3, 7]


def recurrence(layer):
    """Weights of a GRU or AUGRU: of the inputs (3, d, d), bias (3, d), of the states (3, d, d)."""
    parts = (layer.inputs.weight, layer.inputs.bias, layer.states)
    return [array(part.unflatten(0, (3, -1))) for part in parts]


def reference_logits(model, group, form, statistics):
    """Logits (B, C); ``statistics`` of each Dice, or (None, None) for the batch's."""
    rows = []
    unit = model.attention
    layers = [(array(layer.weight), array(layer.bias)) for layer in (unit.first, *unit.others)]
    layers.append((array(unit.score.weight), 0.0))
    linear, prelu = model.query
    for b, n in enumerate(group.length.tolist()):
        history, candidates = (array(x)[b] for x in model.nodes(group))
        summary = sum(history[:n]) / n
        states = literal.gru(history[:n], *recurrence(model.gru))
        for q in candidates:
            query = array(linear.weight) @ q + array(linear.bias)
            query = np.where(query > 0, query, array(prelu.weight) * query)
            attention = literal.activation_unit(query, states, layers, True)
            evolved = literal.augru(states, attention, *recurrence(model.augru), form)
            parts = [q, summary, q * summary, evolved]
            if model.users is not None:
                parts.append(array(model.users.weight)[group.user[b]])
            rows.append(np.concatenate(parts))
    *hidden, last = model.head.layers
    rows = np.array(rows)
    for layer, dice, known in zip(hidden[::2], hidden[1::2], statistics, strict=True):
        rows = literal.dice(rows @ array(layer.weight).T + array(layer.bias), array(dice.alpha), known)
    return (rows @ array(last.weight).T + array(last.bias)).reshape(group.candidate_item.shape)


def small(form="paper", user_embedding=False):
    settings = DIENSettings(
        embedding_width=4, augru=form, user_embedding=user_embedding, unit_hidden=(6, 5), hidden=(7, 4)
    )
    return randomise(DIEN(settings, log_shape()))


@pytest.mark.parametrize(("form", "user_embedding"), [("paper", False), ("official", True)])
def test_equals_the_equations(form, user_embedding):
    model = small(form, user_embedding)
    group = random_group(LENGTHS, candidates=3)
    dices = model.head.layers[1:-1:2]
    known = [(array(d.norm.running_mean).copy(), array(d.norm.running_var).copy()) for d in dices]
    close(model.eval()(group).logits, reference_logits(model, group, form, known))
    logits, losses = model.train()(group)
    close(logits, reference_logits(model, group, form, [(None, None)] * 2))
    assert losses == model.loss_weights == {}


def test_interests_up_to_an_event_ignore_what_follows():
    model, group = small(), random_group([7, 7], candidates=1)
    states = model.gru(model.nodes(group)[0], group.mask)
    later = group._replace(history_item=torch.cat([group.history_item[:, :4], group.candidate_item], 1))
    later = later._replace(history_category=group.history_category[:, :5], length=torch.tensor([5, 5]))
    others = model.gru(model.nodes(later)[0], later.mask)
    # Products of more rows may round otherwise; a leak would show in the first digits.
    torch.testing.assert_close(states[:, :4], others[:, :4])
    assert (states[:, 4] != others[:, 4]).all()


@pytest.mark.parametrize("precision", [torch.float32, torch.float64])  # the kernels and PyTorch
@pytest.mark.parametrize("form", ["paper", "official"])
def test_an_empty_history_is_one_without_an_evolved_interest(form, precision):
    model = small(form).to(precision).eval()
    group = random_group([0, 0], candidates=3, length=2)
    _, q = model.nodes(group)
    parts = torch.cat([q, torch.zeros(2, 3, 3 * q.shape[2], dtype=precision)], -1)
    torch.testing.assert_close(model(group).logits, model.head(parts))


def test_the_form_comes_from_plain_values():
    assert parse(DIENSettings, {"augru": "official"}, "model").augru == "official"
    with pytest.raises(SettingsError, match=r"model\.augru = 'gru'"):
        parse(DIENSettings, {"augru": "gru"}, "model")


@pytest.mark.parametrize(
    ("key", "value"),
    [("embedding_width", 0), ("embedding_scale", -1.0), ("unit_hidden", ()), ("hidden", (0,))],
)
def test_bad_settings_are_named(key, value):
    with pytest.raises(SettingsError, match=f"dien.{key} = "):
        DIENSettings(**{key: value})
