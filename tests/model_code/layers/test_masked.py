import torch

from model_code.layers.masked import masked_mean


def test_mean_over_the_valid_entries():
    vectors = torch.arange(12.0).view(2, 3, 2)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert torch.equal(masked_mean(vectors, mask), torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
