import literal
import pytest
import torch
from examples import array, close

from model_code.layers.dynamic_routing import route, squash

LENGTHS = [5, 1, 0, 3]
MASK = torch.arange(5) < torch.tensor(LENGTHS)[:, None]
INTERESTS = 3


def random_votes(*, shared, scale=1.0):
    torch.manual_seed(0)
    votes = 1 if shared else INTERESTS
    return torch.randn(len(LENGTHS) * votes, 5, 4, dtype=torch.float64) * scale


def random_logits(shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def own(votes):
    """The votes as (B, K, L, d)."""
    return votes.view(len(LENGTHS), -1, 5, 4).expand(-1, INTERESTS, -1, -1)


def loops(votes, logits, iterations):
    """Capsules (B, K, d), one vector at a time in torch, with all but the last iteration cut off."""
    rows = []
    for b, n in enumerate(LENGTHS):
        vote, logit = own(votes)[b], logits.expand(len(LENGTHS), INTERESTS, 5)[b]
        for iteration in range(iterations):
            last = iteration == iterations - 1
            routed = vote if last else vote.detach()
            weights = logit.detach().softmax(0)
            sums = [sum((weights[k, i] * routed[k, i] for i in range(n)), 0 * vote[k, 0]) for k in range(3)]
            capsules = [z if n == 0 else z * z.norm() / (1 + z.norm() ** 2) for z in sums]
            logit = logit + torch.stack([vote[k] @ capsules[k] for k in range(3)])
        rows.append(torch.stack(capsules))
    return torch.stack(rows)


def test_squash():
    for z in torch.randn(4, 3, dtype=torch.float64) * torch.tensor([[1e-3], [0.3], [3.0], [1e3]]):
        close(squash(z), literal.squash(array(z)))
        assert squash(z).norm() < 1


def test_squash_of_zero_has_a_gradient():
    zero = torch.zeros(2, 3, requires_grad=True)
    squash(zero).sum().backward()
    assert (squash(zero) == 0).all()
    assert (zero.grad == 0).all()


@pytest.mark.parametrize("shape", [(4, 3, 5), (3, 5), (3, 1)])
@pytest.mark.parametrize("iterations", [1, 3])
@pytest.mark.parametrize("shared", [True, False])
def test_algorithm(shared, iterations, shape):
    votes, logits = random_votes(shared=shared), random_logits(shape)
    capsules, weights = route(votes, logits, MASK, iterations)
    initial = array(logits.expand(len(LENGTHS), INTERESTS, 5))
    for b, n in enumerate(LENGTHS):
        expected = literal.route(array(own(votes))[b, :, :n], initial[b, :, :n], iterations)
        close(capsules[b], expected[0])
        close(weights[b, :, :n], expected[1])


@pytest.mark.parametrize("shared", [True, False])
def test_an_event_divides_itself_among_the_capsules_and_padding_has_no_share(shared):
    weights = route(random_votes(shared=shared), random_logits((INTERESTS, 5)), MASK, 3).weights
    torch.testing.assert_close(weights.sum(1), MASK.double())
    assert (weights.transpose(1, 2)[~MASK] == 0).all()
    assert weights[0].std() > 0.1  # the routing is not even


@pytest.mark.parametrize("iterations", [1, 2, 3])
@pytest.mark.parametrize("shared", [True, False])
def test_gradient_passes_through_the_last_iteration_only(shared, iterations):
    votes = random_votes(shared=shared).requires_grad_()
    logits = random_logits((INTERESTS, 5)).requires_grad_()
    upper = torch.randn(len(LENGTHS), INTERESTS, 4, dtype=torch.float64)
    capsules, weights = route(votes, logits, MASK, iterations)
    assert not weights.requires_grad
    (gradient,) = torch.autograd.grad(capsules, votes, upper)
    (expected,) = torch.autograd.grad(loops(votes, logits, iterations), votes, upper)
    close(gradient, array(expected))
    packed = gradient.view(len(LENGTHS), -1, 5, 4).transpose(1, 2)
    assert (packed[~MASK] == 0).all()


def test_votes_may_lie_position_by_position():
    votes, logits = random_votes(shared=False), random_logits((INTERESTS, 1))
    strided = votes.transpose(0, 1).contiguous().transpose(0, 1)
    close(route(strided, logits, MASK, 3).capsules, array(route(votes, logits, MASK, 3).capsules))
