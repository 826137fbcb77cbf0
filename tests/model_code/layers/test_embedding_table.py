import torch

from model_code.layers.embedding_table import EmbeddingTable
from model_code.layers.gathering import Rows


def test_has_the_scale_and_a_padding_row_of_zero():
    torch.manual_seed(0)
    table = EmbeddingTable(20_000, 16, 0.1)
    assert torch.equal(table.weight[0], torch.zeros(16))
    assert abs(table.weight[1:].std().item() - 0.1) < 1e-3
    table(torch.tensor([0, 3])).sum().backward()
    assert table.weight.grad[0].abs().sum() == 0
    assert table.weight.grad[3].abs().sum() > 0


def test_a_reader_answers_in_training_only():
    table = EmbeddingTable(5, 2, 0.1)
    table.reader = lambda ids: Rows(torch.full((1, 2), 7.0), torch.zeros_like(ids))
    ids = torch.tensor([[1, 2]])
    assert (table.train()(ids) == 7).all()
    assert torch.equal(table.eval()(ids), table.weight[ids])
