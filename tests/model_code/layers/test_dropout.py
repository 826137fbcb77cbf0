import pytest
import torch

from model_code.layers.dropout import dropout
from model_code.replicas import Shard, sharing


def test_entries_are_zero_at_the_rate_and_keep_their_mean():
    torch.manual_seed(0)
    dropped = dropout(torch.ones(200, 10, 16), 0.25, training=True)
    assert dropped.unique().tolist() == [0.0, pytest.approx(1 / 0.75)]
    assert (dropped == 0).float().mean() == pytest.approx(0.25, abs=0.01)
    assert dropped.mean() == pytest.approx(1, abs=0.02)


def test_a_share_of_a_batch_is_dropped_as_it_is_in_the_batch():
    vectors = torch.randn(7, 5, 4, dtype=torch.float64)
    torch.manual_seed(3)
    whole = dropout(vectors, 0.5, training=True)
    torch.manual_seed(3)
    with sharing(Shard(2, 5, 7)):
        share = dropout(vectors[2:5], 0.5, training=True)
    assert torch.equal(share, whole[2:5])


@pytest.mark.parametrize(("rate", "training"), [(0.0, True), (0.5, False)])
def test_nothing_is_drawn_where_nothing_is_dropped(rate, training):
    vectors, state = torch.randn(3, 4), torch.get_rng_state()
    assert dropout(vectors, rate, training) is vectors
    assert torch.equal(torch.get_rng_state(), state)
