import torch
import torch.nn.functional as F
from examples import SIZES, random_group

from model_code.groups import LogShape
from model_code.models.popularity import Popularity, PopularitySettings

COUNT = torch.tensor([0, 0, *range(28, 0, -1)])


def model(count=COUNT):
    return Popularity(PopularitySettings(), LogShape(SIZES, 5, count))


def test_ranks_by_count_whatever_is_learned_and_unknown_last():
    popularity = model()
    group = random_group([3, 2], candidates=29)
    group = group._replace(candidate_item=torch.arange(1, 30).expand(2, -1))
    for slope in (-8.0, 0.0, 5.0):
        torch.nn.init.constant_(popularity.slope, slope)
        logits = popularity(group).logits
        assert (logits[:, 1:].diff() < 0).all()
        assert (logits[:, 0] < logits[:, 1:].min(1).values).all()


def test_standardised_over_the_events():
    events = COUNT.repeat_interleave(COUNT)  # the count of each event's item
    values = events.double().log1p()
    expected = (COUNT.double().log1p() - values.mean()) / values.std(correction=0)
    torch.testing.assert_close(model().popularity.double(), expected)


def test_logit():
    popularity = model()
    torch.nn.init.constant_(popularity.slope, 0.3)
    torch.nn.init.constant_(popularity.bias, -2.0)
    group = random_group([3, 2], candidates=4)
    slope = F.softplus(torch.tensor(0.3))
    expected = -2 + slope * popularity.popularity[group.candidate_item]
    torch.testing.assert_close(popularity(group).logits, expected)


def test_finite_without_counts_and_with_equal_counts():
    for count in (torch.zeros_like(COUNT), torch.ones_like(COUNT)):
        assert model(count)(random_group([3], candidates=4)).logits.isfinite().all()


def test_counts_travel_with_the_weights():
    other = model(torch.zeros_like(COUNT))
    other.load_state_dict(model().state_dict())
    assert torch.equal(other.popularity, model().popularity)
