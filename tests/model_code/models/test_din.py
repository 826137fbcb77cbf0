"""DIN as a whole against its equations written out."""

import literal
import numpy as np
import pytest
import torch
from examples import SIZES, array, close, log_shape, random_group, randomise

from model_code.kernels import library
from model_code.models.din import DIN, DINSettings
from model_code.settings import SettingsError
from model_code.training.cross_entropy import cross_entropy

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


def gradients(model, group, *, own):
    """Loss, gradients and running statistics of a batch, from the statistics at the start."""
    for dice in model.head.layers[1::2]:
        dice.norm.reset_running_stats()
    model.zero_grad()
    if own:
        loss = model.gradients(group)
    else:
        loss = cross_entropy(model(group).logits)
        loss.backward()
    buffers = [buffer.clone() for buffer in model.buffers()]
    return [loss.detach(), *(parameter.grad for parameter in model.parameters()), *buffers]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("softmax", "unit_hidden", "hidden", "lengths"),
    [(True, (80, 40), (200, 80), LENGTHS), (False, (5,), (7, 3, 9), [0, 2, 9, 1, 30])],
)
def test_own_gradients_are_those_of_autograd(keep_threads, softmax, unit_hidden, hidden, lengths, threads):
    torch.set_num_threads(threads)
    settings = DINSettings(embedding_width=5, softmax=softmax, unit_hidden=unit_hidden, hidden=hidden)
    model = randomise(DIN(settings, log_shape(max_length=30))).float().train()
    group = random_group(lengths, candidates=3)
    if model.gradients(group) is None:
        pytest.skip("no C compiler: there are no kernels to call in turn")
    for ours, expected in zip(
        gradients(model, group, own=True), gradients(model, group, own=False), strict=True
    ):
        torch.testing.assert_close(ours, expected, rtol=1e-6, atol=1e-7)
    exact = gradients(model.double(), group, own=False)
    for ours, expected in zip(gradients(model.float(), group, own=True), exact, strict=True):
        torch.testing.assert_close(ours.to(expected.dtype), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("setting", [{"user_embedding": True}, {"embedding_dropout": 0.1}])
def test_autograd_is_needed_where_the_kernel_does_not_serve(setting, monkeypatch):
    group = random_group(LENGTHS, candidates=3)
    assert DIN(DINSettings(**setting), log_shape()).train().gradients(group) is None
    assert DIN(DINSettings(), log_shape()).eval().gradients(group) is None
    assert DIN(DINSettings(), log_shape()).double().gradients(group) is None
    monkeypatch.setenv(library.SWITCH, "off")
    assert DIN(DINSettings(), log_shape()).train().gradients(group) is None


def test_own_gradients_refuse_an_id_that_no_table_has():
    model = DIN(DINSettings(), log_shape()).train()
    group = random_group(LENGTHS, candidates=3)
    if model.gradients(group) is None:
        pytest.skip("no C compiler: there is no kernel that could read beyond a table")
    group.candidate_item[0, 0] = SIZES.items
    with pytest.raises(IndexError, match="too large for tables of"):
        model.gradients(group)


def test_lengths_beyond_the_slots_are_those_of_the_mask():
    model = DIN(DINSettings(embedding_width=4), log_shape()).train()
    group = random_group(LENGTHS, candidates=3)
    if model.gradients(group) is None:
        pytest.skip("no C compiler: there is no kernel that could read beyond a history")
    beyond = group._replace(length=torch.tensor([3000, -1, 3, 7]))
    inside = group._replace(length=torch.tensor([7, 0, 3, 7]))
    for ours, expected in zip(
        gradients(model, beyond, own=True), gradients(model, inside, own=False), strict=True
    ):
        torch.testing.assert_close(ours, expected, rtol=1e-6, atol=1e-7)
    with pytest.raises(ValueError, match="shapes do not fit"):
        model.gradients(group._replace(history_category=group.history_category[:, :-1]))


def test_own_gradients_are_of_the_weights_that_ask_for_one_and_of_no_other_model():
    class Other(DIN):
        def forward(self, group):
            return super().forward(group)

    group = random_group(LENGTHS, candidates=3)
    assert Other(DINSettings(), log_shape()).train().gradients(group) is None
    model = DIN(DINSettings(), log_shape()).train()
    model.nodes.category.weight.requires_grad_(False)
    if model.gradients(group) is None:
        pytest.skip("no C compiler: there are no kernels to call in turn")
    assert model.nodes.category.weight.grad is None
    assert all(weight.grad is not None for weight in model.parameters() if weight.requires_grad)
