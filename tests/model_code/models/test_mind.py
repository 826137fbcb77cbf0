"""MIND as a whole against its equations written out."""

import literal
import numpy as np
import pytest
import torch
from examples import array, close, log_shape, random_group, randomise
from interest_rankers import reference_logits, running

from model_code.models.mind import MIND, MINDSettings
from model_code.settings import SettingsError

LENGTHS = [6, 1, 0, 3, 7]
SMALL = {"embedding_width": 4, "interests": 3, "hidden": (7, 5)}
VARIATIONS = [{}, {"power": 2.5, "iterations": 2, "user_embedding": True}, {"interests": 1}]


def small(**changes):
    return randomise(MIND(MINDSettings(**{**SMALL, **changes}), log_shape()), scale=0.6)


def reference(model, group, settings, statistics):
    bilinear, logits = array(model.capsules.bilinear.weight), array(model.capsules.logits)

    def interests(events):
        votes = np.array([bilinear @ e for e in events]).reshape(1, *events.shape)
        votes = votes.repeat(settings.interests, 0)
        return literal.route(votes, logits[:, : len(events)], settings.iterations)[0]

    def readout(vectors, q):
        return literal.label_aware_attention(vectors, q, settings.power)

    return reference_logits(model, group, interests, readout, statistics)


@pytest.mark.parametrize("changes", VARIATIONS)
def test_equals_the_equations(changes):
    model, settings = small(**changes), MINDSettings(**{**SMALL, **changes})
    group = random_group(LENGTHS, candidates=3)
    expected = reference(model, group, settings, running(model))
    close(model.eval()(group).logits, expected)
    logits, losses = model.train()(group)
    close(logits, reference(model, group, settings, [(None, None)] * 2))
    assert losses == model.loss_weights == {}


def test_the_global_generator_plays_no_part_and_routing_travels_with_the_weights():
    model, other = small().eval(), small().eval()
    group = random_group(LENGTHS, candidates=3)
    torch.manual_seed(1)
    expected = model(group).logits
    torch.manual_seed(2)
    assert torch.equal(model(group).logits, expected)
    other.capsules.logits.normal_()
    assert not torch.allclose(other(group).logits, expected)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(group).logits, expected)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("embedding_width", 0), ("embedding_scale", 0.0), ("interests", 0), ("iterations", 0),
        ("power", -1.0), ("hidden", ()), ("hidden", (8, 0)),
    ],
)  # fmt: skip
def test_bad_settings_are_named(key, value):
    with pytest.raises(SettingsError, match=f"mind.{key} = "):
        MINDSettings(**{key: value})
