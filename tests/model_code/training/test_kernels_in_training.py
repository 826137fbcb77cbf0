"""Whole steps of training with the kernels and without."""

import pytest
import torch
from examples import log_shape, random_group

from model_code.groups import VocabularySizes
from model_code.kernels import library
from model_code.models.deminet import DemiNetSettings
from model_code.models.dien import DIENSettings
from model_code.models.din import DINSettings
from model_code.models.dmin import DMINSettings
from model_code.models.table import build
from model_code.training.optimizers import ModelOptimizer
from model_code.training.settings import TrainingSettings
from model_code.training.step import TrainingStep

SIZES = VocabularySizes(items=300, categories=12, users=40)
MODELS = {
    "deminet": DemiNetSettings(interests=2),
    "dien": DIENSettings(),
    "din": DINSettings(user_embedding=True, embedding_dropout=0.1),
    "dmin": DMINSettings(user_embedding=True),
}


def course(name, **settings):
    """The mean loss after each of some steps, then logits in training and all running statistics."""
    torch.manual_seed(0)
    model = build(name, MODELS[name], log_shape(12, SIZES)).train()
    training = TrainingSettings(row_updates_from=100, **settings)
    optimizer = ModelOptimizer(model, training)
    step = TrainingStep(model, optimizer, training)
    losses = []
    for number in range(1, 9):
        lengths = [(5 * b + number) % 13 for b in range(9)]  # some of them empty
        group = random_group(lengths, candidates=4, length=12, seed=number, sizes=SIZES)
        step(group, number)
        losses.append(step.sums.clone())
    optimizer.flush()
    torch.manual_seed(0)
    return [
        torch.stack(losses),
        model(group).logits.detach(),
        *(buffer.clone() for buffer in model.buffers()),
    ]


@pytest.mark.parametrize(("name", "decay"), [*((name, 0.0) for name in MODELS), ("din", 1e-3)])
def test_training_is_the_same_with_kernels_and_without(monkeypatch, name, decay):
    if not library.ready():
        pytest.skip("no C compiler: there are no kernels to compare")
    fast = course(name, embedding_weight_decay=decay)
    for a, b in zip(fast, course(name, embedding_weight_decay=decay), strict=True):
        assert torch.equal(a, b)
    monkeypatch.setenv(library.SWITCH, "off")
    # Adam makes whole steps of gradients that are nothing but rounding: hence not all weights are compared.
    for a, b in zip(fast, course(name, embedding_weight_decay=decay), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
