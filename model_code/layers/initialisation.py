"""Initial weights of linear maps: Xavier uniform, biases zero."""

from __future__ import annotations

import math

import torch
from torch import nn


def linear(inputs: int, outputs: int, *, bias: bool = True) -> nn.Linear:
    """Make a linear layer with Xavier uniform weights and a zero bias."""
    layer = nn.Linear(inputs, outputs, bias=bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def xavier(*shape: int, inputs: int, outputs: int) -> nn.Parameter:
    """Make weights of several linear maps in one tensor, each Xavier uniform by its own fan.

    `torch.nn.init` would take the stacking axes of ``shape`` for a part of the fan.
    """
    bound = math.sqrt(6 / (inputs + outputs))
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
