import literal
import pytest
import torch
from examples import array, close, randomise

from model_code.layers.embedding_table import EmbeddingTable
from model_code.layers.interest_head import InterestHead


@pytest.mark.parametrize("with_users", [False, True])
def test_formula(with_users):
    users = EmbeddingTable(9, 3, 0.1) if with_users else None
    head = randomise(InterestHead(4, (7, 5), users)).train()
    candidates, interest = torch.randn(2, 6, 3, 4, dtype=torch.float64)
    user = torch.tensor([4, 1, 8, 4, 2, 1])
    samples = [
        (array(candidates)[b, c], array(interest)[b, c], *([array(users.weight)[u]] if with_users else []))
        for b, u in enumerate(user.tolist())
        for c in range(3)
    ]
    layers = [(array(layer.weight), array(layer.bias)) for layer in head.network.layers[::2]]
    alphas = [array(dice.alpha) for dice in head.network.layers[1::2]]
    expected = literal.interest_head(samples, layers, alphas, [(None, None)] * 2)
    close(head(candidates, interest, user).flatten(), expected)
