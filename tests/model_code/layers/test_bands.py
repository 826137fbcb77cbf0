import pytest
import torch

from model_code.layers.bands import band_matrix, windows


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
def test_band_matrix_has_the_band_around_its_diagonal(reach, length):
    band = torch.randn(3, 2 * reach + 1, length, dtype=torch.float64, requires_grad=True)
    matrix = band_matrix(band)
    for i in range(length):
        for j in range(length):
            expected = band[:, j - i + reach, i] if abs(j - i) <= reach else torch.zeros(3)
            assert torch.equal(matrix[:, i, j], expected.double())
    assert torch.autograd.gradcheck(band_matrix, band)
