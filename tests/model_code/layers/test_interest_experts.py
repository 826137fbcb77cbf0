import literal
import pytest
import torch
from examples import array, close, randomise

from model_code.layers.interest_experts import InterestExperts


def reference(layer, rows, statistics=(None, None)):
    return literal.experts(
        array(rows),
        array(layer.scale)[:, 0],
        array(layer.shift)[:, 0],
        [array(w) for w in layer.weights],
        [array(b)[:, 0] for b in layer.biases],
        statistics,
    )


@pytest.mark.parametrize(("experts", "hidden"), [(1, (5,)), (3, (7, 4))])
def test_each_expert_normalises_and_scores_alone(experts, hidden):
    layer = randomise(InterestExperts(6, experts, hidden))
    rows = torch.randn(9, 6, dtype=torch.float64)
    statistics = array(layer.norm.running_mean).copy(), array(layer.norm.running_var).copy()
    close(layer.eval()(rows), reference(layer, rows, statistics))
    close(layer.train()(rows), reference(layer, rows))


def test_running_statistics_move_towards_the_batch():
    layer = randomise(InterestExperts(6, 2, (5,)))
    rows = torch.randn(9, 6, dtype=torch.float64)
    mean, variance = layer.norm.running_mean.clone(), layer.norm.running_var.clone()
    layer.train()(rows)
    torch.testing.assert_close(layer.norm.running_mean, 0.9 * mean + 0.1 * rows.mean(0))
    torch.testing.assert_close(layer.norm.running_var, 0.9 * variance + 0.1 * rows.var(0))
