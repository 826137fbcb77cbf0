import pytest
import torch

from model_code.layers.bands import band_sum, windows


@pytest.mark.parametrize(("reach", "length"), [(1, 5), (3, 5), (4, 3), (2, 1)])
def test_windows_hold_the_neighbours(reach, length):
    values = torch.randn(3, 2, length, dtype=torch.float64, requires_grad=True)
    result = windows(values, reach)
    for i in range(length):
        for o in range(reach):
            before, after = i - reach + o, i + 1 + o
            expected = values[:, 0, before] if before >= 0 else torch.zeros(3)
            assert torch.equal(result[:, 0, o, i], expected.double())
            expected = values[:, 1, after] if after < length else torch.zeros(3)
            assert torch.equal(result[:, 1, o, i], expected.double())
    assert torch.autograd.gradcheck(windows, (values, reach))


@pytest.mark.parametrize(("reach", "length"), [(1, 5), (3, 5), (4, 3), (2, 1)])
def test_band_sum_weighs_the_neighbours_and_the_position_itself(reach, length):
    weights = torch.randn(3, 2, 2 * reach + 1, length, dtype=torch.float64, requires_grad=True)
    values = torch.randn(2, length, 4, dtype=torch.float64, requires_grad=True)
    result = band_sum(weights, values)
    for i in range(length):
        reached = [o for o in range(2 * reach + 1) if 0 <= i + o - reach < length]
        expected = sum(weights[..., o, i, None] * values[:, i + o - reach] for o in reached)
        torch.testing.assert_close(result[..., i, :], expected)
    assert torch.autograd.gradcheck(band_sum, (weights, values))
