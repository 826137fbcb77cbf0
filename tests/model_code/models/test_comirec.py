"""ComiRec-DR and ComiRec-SA as a whole against their equations written out."""

import literal
import numpy as np
import pytest
from examples import array, close, log_shape, random_group, randomise
from interest_rankers import reference_logits, running

from model_code.models.comirec_dr import ComiRecDR, ComiRecDRSettings
from model_code.models.comirec_sa import ComiRecSA, ComiRecSASettings
from model_code.settings import SettingsError

LENGTHS = [6, 1, 0, 3, 7]
SMALL = {"embedding_width": 4, "interests": 3, "hidden": (7, 5)}


def interests_dr(model, settings):
    width = 2 * settings.embedding_width
    maps = array(model.capsules.maps)  # (L, d, K d): of position i and capsule k, transposed

    def interests(events):
        votes = np.zeros((settings.interests, *events.shape))
        for k in range(settings.interests):
            for i, e in enumerate(events):
                votes[k, i] = maps[i, :, k * width : (k + 1) * width].T @ e
        return literal.route(votes, np.zeros(votes.shape[:2]), settings.iterations)[0]

    return interests


def interests_sa(model, settings):
    part = model.extraction
    positions, hidden, score = (array(w) for w in (part.positions, part.hidden.weight, part.score.weight))
    return lambda events: literal.self_attentive_extraction(events, positions[: len(events)], hidden, score)


DR = (ComiRecDR, ComiRecDRSettings, interests_dr)
SA = (ComiRecSA, ComiRecSASettings, interests_sa)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (DR, {}), (DR, {"iterations": 2, "user_embedding": True}), (DR, {"interests": 1}),
        (SA, {}), (SA, {"user_embedding": True}), (SA, {"interests": 1}),
    ],
)  # fmt: skip
def test_equals_the_equations(kind, changes):
    make, settings, interests = kind
    settings = settings(**{**SMALL, **changes})
    model = randomise(make(settings, log_shape()), scale=0.6)
    group = random_group(LENGTHS, candidates=3)
    extract = interests(model, settings)
    expected = reference_logits(model, group, extract, literal.hard_readout, running(model))
    close(model.eval()(group).logits, expected)
    logits, losses = model.train()(group)
    close(logits, reference_logits(model, group, extract, literal.hard_readout))
    assert losses == model.loss_weights == {}


@pytest.mark.parametrize(
    ("name", "settings", "key", "value"),
    [
        (name, settings, key, value)
        for name, settings, keys in (
            ("comirec_dr", ComiRecDRSettings, ("embedding_width", "interests", "iterations")),
            ("comirec_sa", ComiRecSASettings, ("embedding_width", "interests")),
        )
        for key, value in [*((key, 0) for key in keys), ("embedding_scale", 0.0), ("hidden", ())]
    ],
)
def test_bad_settings_are_named(name, settings, key, value):
    with pytest.raises(SettingsError, match=f"{name}.{key} = "):
        settings(**{key: value})
