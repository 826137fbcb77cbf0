import literal
import torch
from examples import array, close

from model_code.layers.self_supervision import self_supervision_loss


def test_equation():
    first, second = torch.randn(2, 4, 5, 3, 8, dtype=torch.float64) * 3
    expected = literal.self_supervision(array(first).reshape(20, 3, 8), array(second).reshape(20, 3, 8))
    close(self_supervision_loss(first, second), expected)
    close(self_supervision_loss(second, first), expected)


def test_zero_for_equal_views_and_finite_for_distant_ones():
    views = torch.randn(4, 3, 8) * 100
    assert self_supervision_loss(views, views) == 0
    assert self_supervision_loss(views, -views).isfinite()
