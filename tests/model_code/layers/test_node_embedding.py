import torch
from examples import SIZES, random_group

from model_code.layers.node_embedding import NodeEmbedding


def test_nodes_are_item_then_category_from_shared_tables():
    nodes = NodeEmbedding(SIZES, width=4, scale=0.1)
    group = random_group([3, 5], candidates=2)
    history, candidates = nodes(group)
    assert history.shape == (2, 5, 8)
    assert candidates.shape == (2, 2, 8)
    assert nodes.width == 8
    for vectors, item, category in (
        (history, group.history_item, group.history_category),
        (candidates, group.candidate_item, group.candidate_category),
    ):
        assert torch.equal(vectors[..., :4], nodes.item.weight[item])
        assert torch.equal(vectors[..., 4:], nodes.category.weight[category])
    assert history[0, 3:].abs().max() == 0
