"""DIN as a whole against its equations written out."""

import literal
import numpy as np
import pytest
from examples import array, close, log_shape, random_group, randomise

from model_code.models.din import DIN, DINSettings
from model_code.settings import SettingsError

LENGTHS = [6, 1, 3, 7]


def reference_logits(model, group, softmax, statistics):
    """Logits (B, C); ``statistics`` of each Dice, or (None, None) for the batch's."""
    rows = []
    unit = model.attention
    layers = [(array(layer.weight), array(layer.bias)) for layer in (unit.first, *unit.others)]
    layers.append((array(unit.score.weight), 0.0 if softmax else array(unit.score.bias)))
    for b, n in enumerate(group.length.tolist()):
        history, candidates = (array(x)[b] for x in model.nodes(group))
        summary = sum(history[:n]) / n
        for q in candidates:
            weights = literal.activation_unit(q, history[:n], layers, softmax)
            interest = sum(w * h for w, h in zip(weights, history[:n], strict=True))
            parts = [q, summary, q * summary, interest]
            if model.users is not None:
                parts.append(array(model.users.weight)[group.user[b]])
            rows.append(np.concatenate(parts))
    *hidden, last = model.head.layers
    rows = np.array(rows)
    for layer, dice, known in zip(hidden[::2], hidden[1::2], statistics, strict=True):
        rows = literal.dice(rows @ array(layer.weight).T + array(layer.bias), array(dice.alpha), known)
    return (rows @ array(last.weight).T + array(last.bias)).reshape(group.candidate_item.shape)


@pytest.mark.parametrize(("softmax", "user_embedding"), [(True, False), (False, True)])
def test_equals_the_equations(softmax, user_embedding):
    settings = DINSettings(
        embedding_width=4, softmax=softmax, user_embedding=user_embedding, unit_hidden=(6, 5), hidden=(7, 4)
    )
    model = randomise(DIN(settings, log_shape()))
    group = random_group(LENGTHS, candidates=3)
    dices = model.head.layers[1:-1:2]
    known = [(array(d.norm.running_mean).copy(), array(d.norm.running_var).copy()) for d in dices]
    close(model.eval()(group).logits, reference_logits(model, group, softmax, known))
    logits, losses = model.train()(group)
    close(logits, reference_logits(model, group, softmax, [(None, None)] * 2))
    assert losses == model.loss_weights == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("embedding_width", 0),
        ("embedding_scale", -1.0),
        ("embedding_dropout", 1.0),
        ("unit_hidden", ()),
        ("hidden", (0,)),
    ],
)
def test_bad_settings_are_named(key, value):
    with pytest.raises(SettingsError, match=f"din.{key} = "):
        DINSettings(**{key: value})
