import pytest
import torch
from examples import random_group, randomise

from model_code.kernels import library
from model_code.layers.activation_unit import ActivationUnit
from model_code.layers.attended_score import attended_score
from model_code.layers.head_inputs import head_inputs
from model_code.layers.prediction_head import PredictionHead

LENGTHS = [6, 1, 3, 7, 0]
WIDTH, USERS = 12, 5


def example(softmax, users, dtype=torch.float32):
    """Unit, head, candidates, history, group, and others."""
    torch.manual_seed(0)
    unit = randomise(ActivationUnit(WIDTH, (9, 7), softmax=softmax)).to(dtype)
    head = randomise(PredictionHead(4 * WIDTH + users * USERS, (11, 6))).to(dtype)
    group = random_group(LENGTHS, candidates=3)
    sizes = [(5, 3, WIDTH), (5, 7, WIDTH), *[(5, 1, USERS)] * users]
    candidates, history, *others = (torch.randn(size, dtype=torch.float64).to(dtype) for size in sizes)
    return unit, head, candidates, history, group, others


def by_parts(unit, head, candidates, history, group, others):
    interest = unit(candidates, history, group.mask)
    return head(head_inputs(candidates, history, group.mask, [interest, *others]))


def results(score, unit, head, candidates, history, group, others):
    """Logits, the gradients of all that has one, and the running statistics."""
    for dice in head.layers[1::2]:
        dice.norm.reset_running_stats()
    leaves = [values.detach().requires_grad_() for values in (candidates, history, *others)]
    logits = score(unit, head, *leaves[:2], group, leaves[2:])
    weights = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1))
    parameters = [*unit.parameters(), *head.parameters()]
    gradients = torch.autograd.grad((logits * weights.to(logits.dtype)).sum(), [*leaves, *parameters])
    return [logits.detach(), *gradients, *(buffer.clone() for buffer in head.buffers())]


@pytest.mark.parametrize(("softmax", "users"), [(True, 0), (False, 1)])
def test_one_node_gives_what_its_parts_give(softmax, users):
    these = example(softmax, users)
    if not library.ready():
        pytest.skip("no C compiler: there are no kernels to join")
    whole = attended_score(*these)
    assert whole.grad_fn.name() == "_ScoreBackward"
    for joined, apart in zip(results(attended_score, *these), results(by_parts, *these), strict=True):
        torch.testing.assert_close(joined, apart, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("softmax", "users"), [(True, 0), (False, 1)])
def test_the_kernels_give_what_the_formulas_give(softmax, users):
    fast = results(attended_score, *example(softmax, users))
    exact = results(attended_score, *example(softmax, users, torch.float64))
    for one, other in zip(fast, exact, strict=True):
        torch.testing.assert_close(one.to(other.dtype), other, rtol=1e-4, atol=1e-5)


def test_scoring_leaves_the_parts_to_themselves():
    unit, head, *rest = example(True, 0)
    head.eval()
    assert torch.equal(attended_score(unit, head, *rest), by_parts(unit, head, *rest))


@pytest.mark.parametrize(("part", "shape"), [(2, (5, 3, WIDTH + 1)), (3, (4, 7, WIDTH)), (3, (5, 6, WIDTH))])
def test_shapes_that_do_not_fit_are_refused_before_a_kernel_runs(part, shape):
    these = list(example(True, 0))
    if not library.ready():
        pytest.skip("no C compiler: there are no kernels to guard")
    these[part] = torch.zeros(shape)
    with pytest.raises(ValueError, match="shapes do not fit"):
        attended_score(*these)
