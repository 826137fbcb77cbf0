import literal
import pytest
import torch
from examples import array, close

from model_code.layers.readout import hard_readout, label_aware_attention


def example():
    torch.manual_seed(0)
    return torch.randn(3, 4, 5, dtype=torch.float64), torch.randn(3, 6, 5, dtype=torch.float64)


@pytest.mark.parametrize("power", [0.0, 1.0, 2.5])
def test_label_aware_attention(power):
    interests, queries = example()
    vectors = label_aware_attention(interests, queries, power)
    for b in range(3):
        for c in range(6):
            expected = literal.label_aware_attention(array(interests)[b], array(queries)[b, c], power)
            close(vectors[b, c], expected)


def test_power_goes_from_the_mean_to_the_hard_readout():
    interests, queries = example()
    mean = interests.mean(1, keepdim=True).expand(-1, 6, -1)
    torch.testing.assert_close(label_aware_attention(interests, queries, 0.0), mean)
    hard = hard_readout(interests, queries)
    torch.testing.assert_close(label_aware_attention(interests, queries, 1e4), hard)


def test_hard_readout_picks_the_nearest():
    interests, queries = example()
    vectors = hard_readout(interests, queries)
    for b in range(3):
        for c in range(6):
            expected = literal.hard_readout(array(interests)[b], array(queries)[b, c])
            assert (array(vectors)[b, c] == expected).all()


def test_the_gradient_goes_to_the_chosen_interest_and_to_no_query():
    interests = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]], requires_grad=True)
    queries = torch.tensor([[[3.0, 1.0], [1.0, 2.0], [2.0, 0.0]]], requires_grad=True)
    upper = torch.tensor([[[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]]])
    hard_readout(interests, queries).backward(upper)
    assert interests.grad.tolist() == [[[101.0, 202.0], [10.0, 20.0], [0.0, 0.0]]]
    assert queries.grad is None


def test_of_equals_the_first_and_it_alone():
    interests = torch.zeros(1, 3, 2, requires_grad=True)
    hard_readout(interests, torch.ones(1, 1, 2)).sum().backward()
    assert interests.grad.tolist() == [[[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]]
