import literal
import pytest
import torch
from examples import array, close, randomise

from model_code.layers.dice import Dice


def test_formula_in_training_and_in_evaluation():
    layer = randomise(Dice(5))
    rows = torch.randn(12, 5, dtype=torch.float64) * 2 + 1
    statistics = array(layer.norm.running_mean).copy(), array(layer.norm.running_var).copy()
    close(layer.eval()(rows), literal.dice(array(rows), array(layer.alpha), statistics))
    close(layer.train()(rows), literal.dice(array(rows), array(layer.alpha)))


def test_alpha_of_one_is_the_identity():
    layer = Dice(5)
    torch.nn.init.ones_(layer.alpha)
    rows = torch.randn(12, 5)
    torch.testing.assert_close(layer(rows), rows)


def test_one_row_is_refused():
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        Dice(4)(torch.randn(1, 4))
