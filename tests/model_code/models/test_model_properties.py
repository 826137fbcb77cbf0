"""What holds for every model of the table."""

import copy

import pytest
import torch
import torch.nn.functional as F
from examples import log_shape, random_group, randomise

from model_code.groups import PADDING, VocabularySizes
from model_code.layers.packing import Packing
from model_code.models.comirec_dr import ComiRecDRSettings
from model_code.models.comirec_sa import ComiRecSASettings
from model_code.models.deminet import DemiNetSettings
from model_code.models.dien import DIENSettings
from model_code.models.din import DINSettings
from model_code.models.dmin import DMINSettings
from model_code.models.mind import MINDSettings
from model_code.models.popularity import PopularitySettings
from model_code.models.table import MODELS, build, entry

LENGTHS = [6, 1, 3, 7]
VARIANTS = ("multi_avg", "hard_routing", "moe", "wo_dha", "wo_ssl", "wo_ie", "gat", "gcmc", "lightgcn")
CASES = {
    "comirec_dr": ComiRecDRSettings(),
    "comirec_dr-user": ComiRecDRSettings(interests=2, iterations=1, user_embedding=True),
    "comirec_dr-one-interest": ComiRecDRSettings(interests=1),
    "comirec_sa": ComiRecSASettings(),
    "comirec_sa-user": ComiRecSASettings(interests=2, user_embedding=True),
    "comirec_sa-one-interest": ComiRecSASettings(interests=1),
    "deminet": DemiNetSettings(),
    "deminet-extras": DemiNetSettings(residual=True, product=True, user_embedding=True, threshold=0.0),
    "deminet-one-interest": DemiNetSettings(interests=1),
    **{name: entry(name).parse({}, name) for name in VARIANTS},
    "dien": DIENSettings(),
    "dien-official": DIENSettings(augru="official", user_embedding=True),
    "din": DINSettings(),
    "din-no-softmax": DINSettings(softmax=False, user_embedding=True),
    "mind": MINDSettings(),
    "mind-user": MINDSettings(interests=7, power=2.0, user_embedding=True),
    "mind-one-interest": MINDSettings(interests=1),
    "dmin": DMINSettings(),
    "dmin-no-next-item": DMINSettings(next_item=0.0, user_embedding=True),
    "popularity": PopularitySettings(),
}


def make(case, seed=0, **shape):
    torch.manual_seed(seed)
    return build(case.split("-")[0], CASES[case], log_shape(**{"max_length": 12, **shape}))


@pytest.fixture(params=CASES)
def case(request):
    return request.param


def test_every_model_is_a_case():
    assert {name.split("-")[0] for name in CASES} == set(MODELS)


def test_padding_changes_nothing(case):
    model = randomise(make(case))
    group = random_group(LENGTHS, candidates=3)
    padding = torch.full((4, 5), PADDING)
    longer = group._replace(
        history_item=torch.cat([group.history_item, padding], 1),
        history_category=torch.cat([group.history_category, padding], 1),
    )
    other = copy.deepcopy(model)
    for mode in (True, False):
        expected = model.train(mode)(group).logits
        torch.testing.assert_close(other.train(mode)(longer).logits, expected, rtol=1e-9, atol=1e-9)


def test_nothing_is_read_beyond_the_length(case):
    model = randomise(make(case)).eval()
    group = random_group(LENGTHS, candidates=3)
    garbage = torch.randint(1, 8, group.history_item.shape)
    dirty = group._replace(
        history_item=torch.where(group.mask, group.history_item, garbage),
        history_category=torch.where(group.mask, group.history_category, garbage),
    )
    torch.testing.assert_close(model(dirty).logits, model(group).logits, rtol=1e-9, atol=1e-9)


def test_a_group_scores_as_its_candidates_one_by_one(case):
    model = randomise(make(case)).eval()
    group = random_group(LENGTHS, candidates=5)
    logits = model(group).logits
    for c in range(5):
        one = group._replace(
            candidate_item=group.candidate_item[:, c : c + 1],
            candidate_category=group.candidate_category[:, c : c + 1],
        )
        torch.testing.assert_close(model(one).logits, logits[:, c : c + 1], rtol=1e-9, atol=1e-9)
    for b in range(4):
        alone = type(group)(*(field[b : b + 1] for field in group))
        torch.testing.assert_close(model(alone).logits, logits[b : b + 1], rtol=1e-9, atol=1e-9)


def train(model, group, steps, learning_rate=0.02):
    labels = torch.zeros(group.candidate_item.shape)
    labels[:, 0] = 1
    optimizer = torch.optim.Adam(model.parameters(), learning_rate)
    model.train()
    for step in range(steps):
        torch.manual_seed(step)
        logits, losses = model(group)
        loss = F.binary_cross_entropy_with_logits(logits, labels)
        loss = loss + sum(model.loss_weights[name] * value for name, value in losses.items())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


@pytest.mark.parametrize("case", [c for c in CASES if c != "popularity"])
def test_overfits_64_samples(case):
    sizes = VocabularySizes(items=400, categories=20, users=40)
    model = make(case, sizes=sizes)
    group = random_group([1 + b % 8 for b in range(32)], candidates=2, sizes=sizes)
    logits = train(model, group, steps=60)(group).logits  # training mode: the batch's own statistics
    assert logits[:, 0].min() > logits[:, 1].max()  # AUC 1


def test_same_seed_same_weights(case):
    group = random_group(LENGTHS, candidates=3)
    first, second = (train(make(case, seed=3), group, steps=3).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_another_seed_gives_other_weights(case):
    if case != "popularity":  # whose weights start at 0
        first, second = make(case, seed=3), make(case, seed=4)
        assert any(
            not torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)
        )


def test_gradients_reach_every_parameter(case):
    group = random_group([12, 1, 3, 7, 5, 8], candidates=4)
    reached = {}
    # With some weights a ReLU, or the expert of one interest, is off for all that a batch holds.
    draws = 8 if case.split("-")[0] in ("dmin", "gcmc", "hard_routing") else 1
    for seed in range(draws):
        model = randomise(make(case), seed).train()
        logits, losses = model(group)
        (logits.square().sum() + sum(losses.values())).backward()
        for name, parameter in model.named_parameters():
            rows = parameter.grad.flatten(1) if parameter.dim() > 1 else parameter.grad.view(1, -1)
            assert rows.isfinite().all(), name
            reached[name] = reached.get(name, False) | (rows.abs().amax(1) > 1e-12)
    for name, rows in reached.items():
        if not any(table in name for table in ("nodes.", "users.")):  # of a table only the rows looked up
            assert rows.all(), name
        else:
            assert rows.any(), name


def test_histories_of_length_1_and_0_are_finite(case):
    model = make(case).train()
    group = random_group([1, 1, 0], candidates=3, length=4)
    logits, losses = model(group)
    (logits.sum() + sum(losses.values())).backward()
    assert logits.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    assert model.eval()(group).logits.isfinite().all()


def test_nothing_waits_for_the_device(case):
    """A tensor without values fails wherever its values are asked for."""
    model = make(case).to("meta").train()
    group = type(random_group(LENGTHS, 3))(*(field.to("meta") for field in random_group(LENGTHS, 3)))
    logits, losses = model(group)
    (logits.sum() + sum(losses.values())).backward()
    assert logits.shape == group.candidate_item.shape


@pytest.mark.parametrize("mode", [True, False])
def test_positions_packed_or_not_give_the_same(case, mode, monkeypatch):
    model = randomise(make(case)).train(mode)
    group = random_group(LENGTHS, candidates=3)
    results = []
    for packing in (Packing.of_mask, lambda mask: Packing(mask, None, None)):
        monkeypatch.setattr(Packing, "of_mask", packing)
        torch.manual_seed(0)
        fresh = copy.deepcopy(model)
        logits, losses = fresh(group)
        (logits.square().sum() + sum(losses.values())).backward()
        results.append([logits, *losses.values(), *(weight.grad for weight in fresh.parameters())])
    torch.testing.assert_close(*results)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_agrees_with_cpu(case):
    model = randomise(make(case)).eval()
    group = random_group(LENGTHS, candidates=3)
    expected = model(group).logits
    on_gpu = type(group)(*(field.cuda() for field in group))
    torch.testing.assert_close(model.cuda()(on_gpu).logits.cpu(), expected, rtol=1e-9, atol=1e-9)
    with torch.cuda.device(0):
        torch.cuda.set_sync_debug_mode("error")
        try:
            model.train()(on_gpu)
        finally:
            torch.cuda.set_sync_debug_mode("default")
