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


def union(sets):
    """Neighbours of each node by any relation."""
    return [sorted({j for name in RELATIONS for j in sets[name][i]}) for i in range(len(sets["in"]))]


def graph_attention(nodes, sets, projection, centre, neighbour):
    """GAT over the union. ``centre`` and ``neighbour`` (heads, d/heads) are the two halves of w."""
    heads, width = centre.shape
    out = np.zeros((len(nodes), heads * width))
    for head in range(heads):
        cut = slice(head * width, (head + 1) * width)
        z = [(projection @ h)[cut] for h in nodes]
        w = np.concatenate([centre[head], neighbour[head]])
        for i, around in enumerate(union(sets)):
            if around:
                weights = softmax([leaky(w @ np.concatenate([z[i], z[j]]), 0.2) for j in around])
                out[i, cut] = sum(a * z[j] for a, j in zip(weights, around, strict=True))
    return out


def graph_convolution(nodes, sets, relations):
    """GCMC: ``relations`` holds a matrix (d, d) for each relation."""
    out = np.zeros_like(nodes)
    for i in range(len(nodes)):
        for name, matrix in zip(RELATIONS, relations, strict=True):
            around = sets[name][i]
            if around:
                out[i] += matrix @ (sum(nodes[j] for j in around) / len(around))
    return np.maximum(out, 0)


def light_graph_convolution(nodes, sets):
    """LightGCN over the union; a neighbour that itself has none counts as if it had one."""
    around = union(sets)
    out = np.zeros_like(nodes)
    for i, neighbours_of_i in enumerate(around):
        for j in neighbours_of_i:
            out[i] += nodes[j] / math.sqrt(len(neighbours_of_i) * max(1, len(around[j])))
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


def leaky_network(inputs, start, weights, biases, scale=None, shift=None):
    """Networks on groups of rows (E or 1, S, R, in): start (E, S, out), weights[layer] (E, in, out)."""
    networks, groups, repeats = len(start), *inputs.shape[1:3]
    out = np.zeros((networks, groups, repeats, weights[-1].shape[-1]))
    for e in range(networks):
        for s in range(groups):
            for r in range(repeats):
                x = inputs[e if len(inputs) > 1 else 0, s, r]
                x = x if scale is None else x * scale[e, 0] + shift[e, 0]
                x = weights[0][e].T @ x + start[e, s]
                for weight, bias in zip(weights[1:], biases, strict=True):
                    x = weight[e].T @ leaky(x) + bias[e, 0]
                out[e, s, r] = x
    return out


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


def squash(z):
    """Shorten z to less than 1; 0 stays."""
    square = sum(x * x for x in z)
    return z * 0 if square == 0 else square / (1 + square) * z / math.sqrt(square)


def route(votes, logits, iterations):
    """Dynamic routing of one history: votes (K, n, d), logits (K, n) -> capsules (K, d), weights (K, n)."""
    interests, n = logits.shape
    logits = logits.copy()
    weights, capsules = np.zeros((interests, n)), np.zeros((interests, votes.shape[-1]))
    for _ in range(iterations):
        for i in range(n):
            weights[:, i] = softmax(logits[:, i])
        for k in range(interests):
            z = np.zeros(votes.shape[-1])
            for i in range(n):
                z += weights[k, i] * votes[k, i]
            capsules[k] = squash(z)
        for k in range(interests):
            for i in range(n):
                logits[k, i] += capsules[k] @ votes[k, i]
    return capsules, weights


def label_aware_attention(interests, query, power):
    """MIND's vector of the user for one candidate."""
    weights = softmax([power * (v @ query) for v in interests])
    return sum(w * v for w, v in zip(weights, interests, strict=True))


def hard_readout(interests, query):
    """ComiRec's vector of the user for one candidate."""
    best = interests[0]
    for v in interests[1:]:
        if v @ query > best @ query:
            best = v
    return best


def self_attentive_extraction(events, positions, hidden, score):
    """ComiRec-SA's interests of one history: events (n, d), hidden (4d, d), score (K, 4d) -> V (K, d)."""
    units = [np.tanh(hidden @ (e + p)) for e, p in zip(events, positions, strict=True)]
    vectors = np.zeros((len(score), events.shape[1]))
    for k, row in enumerate(score):
        for a, e in zip(softmax([row @ unit for unit in units]), events, strict=True):
            vectors[k] += a * e
    return vectors


def interest_head(samples, layers, alphas, statistics):
    """Logits (N,) of samples (q, v, other vectors) by a network with Dice: ``layers`` of (weight, bias)."""
    rows = np.array([np.concatenate([q, v, q * v, *others]) for q, v, *others in samples])
    *hidden, (weight, bias) = layers
    for (w, b), alpha, known in zip(hidden, alphas, statistics, strict=True):
        rows = dice(rows @ w.T + b, alpha, known)
    return (rows @ weight.T + bias)[:, 0]


def causal_attention(nodes, query, query_bias, key, value, heads):
    """Self-attention that looks back only, for one history: heads -> node -> (d / heads,)."""
    width = len(query) // heads
    out = []
    for head in range(heads):
        cut = slice(head * width, (head + 1) * width)
        out.append([])
        for i in range(len(nodes)):
            q = (query @ nodes[i] + query_bias)[cut]
            scores = [q @ (key @ nodes[j])[cut] / math.sqrt(width) for j in range(i + 1)]
            values = [(value @ nodes[j])[cut] for j in range(i + 1)]
            out[-1].append(sum(a * v for a, v in zip(softmax(scores), values, strict=True)))
    return out


def layer_norm(x, scale, shift, epsilon=1e-5):
    """Of one vector."""
    mean = sum(x) / len(x)
    variance = sum((v - mean) ** 2 for v in x) / len(x)
    return (x - mean) / math.sqrt(variance + epsilon) * scale + shift


def refinement(node, attended, projection, scale_and_shift, wide, narrow):
    """One event's residual, LayerNorm and feed-forward network; maps are pairs of weight and bias."""
    y = layer_norm(node + projection[0] @ attended + projection[1], *scale_and_shift)
    inner = [max(v, 0.0) for v in wide[0] @ y + wide[1]]
    return y + narrow[0] @ inner + narrow[1]


def positioned_unit(query, keys, places, alignment, layers):
    """DMIN's unit for one candidate: the weighted sum of the keys, each seen by a query of its own."""
    weight, bias = alignment
    scores = []
    for k, p in zip(keys, places, strict=True):
        q = weight @ np.concatenate([query, p]) + bias
        scores.append(activation_unit(q, [k], layers, normalise=False)[0])
    return sum(a * k for a, k in zip(softmax(scores), keys, strict=True))


def next_item(states, items, negatives, layers):
    """DMIN's auxiliary loss of each pair of one history: layers of (weight, bias)."""

    def probability(state, item):
        x = np.concatenate([state, item])
        for weight, bias in layers:
            x = sigmoid(weight @ x + bias)
        return x[0]

    return [
        -math.log(probability(states[t], items[t + 1]))
        - math.log(1 - probability(states[t], negatives[t % len(negatives)]))
        for t in range(len(items) - 1)
    ]
