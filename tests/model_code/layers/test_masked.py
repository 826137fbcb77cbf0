import torch

from model_code.layers.masked import masked_mean, masked_softmax


def test_softmax_over_the_valid_entries():
    scores = torch.tensor([[1.0, 50.0, 2.0], [3.0, 4.0, 5.0]])
    mask = torch.tensor([[True, False, True], [True, True, True]])
    weights = masked_softmax(scores, mask)
    assert torch.equal(weights[0, [0, 2]], torch.tensor([1.0, 2.0]).softmax(0))
    assert weights[0, 1] == 0
    assert torch.equal(weights[1], scores[1].softmax(0))


def test_softmax_over_nothing_is_zero_with_zero_gradient():
    scores = torch.randn(2, 3, requires_grad=True)
    mask = torch.tensor([[False] * 3, [True] * 3])
    weights = masked_softmax(scores, mask)
    weights[:, 0].sum().backward()
    assert torch.equal(weights[0], torch.zeros(3))
    assert torch.equal(scores.grad[0], torch.zeros(3))
    assert scores.grad[1].abs().min() > 0


def test_mean_over_the_valid_entries():
    vectors = torch.arange(12.0).view(2, 3, 2)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert torch.equal(masked_mean(vectors, mask), torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
