import literal
import torch
from examples import array, close, randomise

from model_code.layers.prediction_head import PredictionHead


def test_layers_with_dice_between():
    head = randomise(PredictionHead(6, (5, 4)))
    inputs = torch.randn(3, 7, 6, dtype=torch.float64)
    first, dice1, second, dice2, last = head.layers
    rows = array(inputs).reshape(21, 6)
    for layer, dice in ((first, dice1), (second, dice2)):
        rows = literal.dice(rows @ array(layer.weight).T + array(layer.bias), array(dice.alpha))
    expected = rows @ array(last.weight).T + array(last.bias)
    close(head.train()(inputs), expected.reshape(3, 7))
