"""The equations written out in loops over single vectors, in float64 and without torch's operators.

Slow and literal on purpose: one graph, one sample, one head, one neighbour at a time.
"""

import math

import numpy as np

RELATIONS = ("in", "out", "sim", "self")


def leaky(x, slope=0.01):
    return np.where(x > 0, x, slope * x)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(values):
    exponentials = [math.exp(v) for v in values]
    return [e / sum(exponentials) for e in exponentials]


def neighbours(nodes, items, epsilon, threshold, unknown=1):
    """Eq. 1-5 on one history without padding: relation -> node -> its neighbours."""
    n = len(items)
    sets = {r: [[] for _ in range(n)] for r in RELATIONS}
    for i in range(n):
        for j in range(n):
            if i - epsilon <= j < i:
                sets["in"][i].append(j)
            if i < j <= i + epsilon:
                sets["out"][i].append(j)
            cosine = nodes[i] @ nodes[j] / (np.linalg.norm(nodes[i]) * np.linalg.norm(nodes[j]))
            if i != j and cosine >= threshold and not items[i] == items[j] == unknown:
                sets["sim"][i].append(j)
        sets["self"][i].append(i)
    return sets


def dependency_attention(nodes, sets, projection, centre, neighbour, relation, relation_bias):
    """Eq. 6-11. ``centre`` and ``neighbour`` (heads, 3, d/heads) are the two halves of each w_(r)."""
    heads, _, width = centre.shape
    out = np.zeros((len(nodes), heads * width))
    for head in range(heads):
        cut = slice(head * width, (head + 1) * width)
        z = [(projection @ h)[cut] for h in nodes]
        for i in range(len(nodes)):
            means, scores = [], []
            for r, name in enumerate(RELATIONS):
                around = sets[name][i]
                if not around:
                    continue
                if name == "self":
                    weights = [1.0]
                else:
                    w = np.concatenate([centre[head, r], neighbour[head, r]])
                    weights = softmax([leaky(w @ np.concatenate([z[i], z[j]]), 0.2) for j in around])
                mean = sum(a * z[j] for a, j in zip(weights, around, strict=True))
                means.append(mean)
                scores.append(leaky(relation[head] @ mean + relation_bias[head]))
            if means:
                out[i, cut] = sum(b * m for b, m in zip(softmax(scores), means, strict=True))
    return out


def interests(nodes, candidate, hidden, hidden_bias, score):
    """Eq. 13 for one candidate: hidden (K, d, 2d), hidden_bias (K, d), score (K, d) -> V (K, d)."""
    vectors = []
    for k in range(len(score)):
        scores = [
            score[k] @ leaky(hidden[k] @ np.concatenate([h, candidate]) + hidden_bias[k]) for h in nodes
        ]
        vectors.append(sum(a * h for a, h in zip(softmax(scores), nodes, strict=True)))
    return np.array(vectors)


def batch_norm(rows, mean=None, variance=None, epsilon=1e-5):
    """Without scale and shift; by the statistics of the rows unless given."""
    mean = rows.mean(0) if mean is None else mean
    variance = rows.var(0) if variance is None else variance
    return (rows - mean) / np.sqrt(variance + epsilon)


def experts(rows, scale, shift, weights, biases, statistics=(None, None)):
    """K networks, each on its own batch normalisation of the rows (N, F); weights[layer] (K, in, out)."""
    out = np.zeros((len(rows), len(scale)))
    for k in range(len(scale)):
        normed = batch_norm(rows, *statistics) * scale[k] + shift[k]
        for n, x in enumerate(normed):
            for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
                x = weight[k].T @ (leaky(x) if layer else x) + bias[k]  # noqa: PLW2901
            out[n, k] = x[0]
    return out


def confidence(vectors, context, layers, prototypes):
    """Eq. 14 for one sample: V (K, d), [s_u || f_i] (2d,), layers of (weight, bias) -> omega (K,)."""
    scores = []
    for v, p in zip(vectors, prototypes, strict=True):
        x = np.concatenate([v, context])
        for layer, (weight, bias) in enumerate(layers):
            x = weight @ (leaky(x) if layer else x) + bias
        scores.append(x @ p / math.sqrt(len(p)))
    return np.array(softmax(scores))


def self_supervision(first, second):
    """Eq. 18, mean over samples: two lists of V (K, d)."""
    total = 0.0
    for v1, v2 in zip(first, second, strict=True):
        for k in range(len(v1)):
            p, q = softmax(v1[k]), softmax(v2[k])
            total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)) / 2
            total += sum(b * math.log(b / a) for a, b in zip(p, q, strict=True)) / 2
    return total / len(first)


def activation_unit(query, keys, layers, normalise):
    """DIN's unit for one candidate: layers of (weight, bias) -> a weight for each key."""
    scores = []
    for k in keys:
        x = np.concatenate([query, k, query - k, query * k])
        for weight, bias in layers[:-1]:
            x = sigmoid(weight @ x + bias)
        weight, bias = layers[-1]
        scores.append((weight @ x + bias)[0])
    return np.array(softmax(scores) if normalise else scores)


def gated(x, h, inputs, bias, states):
    """Update gate and candidate state; of reset, update and candidate, weights (3, d, d), bias (3, d)."""
    reset, update = (sigmoid(inputs[k] @ x + states[k] @ h + bias[k]) for k in range(2))
    return update, np.tanh(inputs[2] @ x + reset * (states[2] @ h) + bias[2])


def gru(vectors, inputs, bias, states):
    """DIEN's GRU on one history: its state after each event."""
    h, after = np.zeros(states.shape[-1]), []
    for x in vectors:
        u, c = gated(x, h, inputs, bias, states)
        h = (1 - u) * h + u * c
        after.append(h)
    return np.array(after)


def augru(vectors, attention, inputs, bias, states, form):
    """DIEN's AUGRU on one history for one candidate: its last state."""
    h = np.zeros(states.shape[-1])
    for x, a in zip(vectors, attention, strict=True):
        u, c = gated(x, h, inputs, bias, states)
        if form == "paper":
            u = a * u
            h = (1 - u) * h + u * c
        else:
            u = (1 - a) * u
            h = u * h + (1 - u) * c
    return h


def dice(rows, alpha, statistics=(None, None)):
    """Dice on rows (N, F)."""
    p = sigmoid(batch_norm(rows, *statistics))
    return p * rows + (1 - p) * alpha * rows
