"""What the tests of MIND and of both ComiRec share: the end of the model written out."""

import literal
from examples import array


def dices(model):
    return model.head.network.layers[1::2]


def running(model):
    """The running statistics of each Dice, as they are now."""
    return [(array(d.norm.running_mean).copy(), array(d.norm.running_var).copy()) for d in dices(model)]


def reference_logits(model, group, interests, readout, statistics=((None, None), (None, None))):
    """Logits (B, C) from ``interests(events)``, V (K, d) of one history, and ``readout(V, q)``."""
    samples = []
    for b, n in enumerate(group.length.tolist()):
        history, candidates = (array(x)[b] for x in model.nodes(group))
        vectors = interests(history[:n])
        for q in candidates:
            users = model.head.users
            profile = [] if users is None else [array(users.weight)[group.user[b]]]
            samples.append((q, readout(vectors, q), *profile))
    layers = [(array(layer.weight), array(layer.bias)) for layer in model.head.network.layers[::2]]
    alphas = [array(dice.alpha) for dice in dices(model)]
    return literal.interest_head(samples, layers, alphas, statistics).reshape(group.candidate_item.shape)
