"""The network that turns a model's vectors into a logit."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from model_code.kernels import library
from model_code.layers.batch_norm import BatchNorm
from model_code.layers.dice import Dice
from model_code.layers.initialisation import linear

LITTLE = 1_000_000  # products of the first layer; below, waking a thread takes longer than its share


class PredictionHead(nn.Module):
    """A network ``width -> hidden -> 1`` with Dice between its layers.

    Shapes:
        inputs: (..., width).
        returns: logits (...).
    """

    def __init__(self, width: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        layers = [layer for a, b in pairwise((width, *hidden)) for layer in (linear(a, b), Dice(b))]
        self.layers = nn.Sequential(*layers, linear(hidden[-1], 1))

    def forward(self, inputs: Tensor) -> Tensor:
        """Score the rows (..., width) -> (...)."""
        rows = inputs.flatten(0, -2)
        layers: list[Any] = list(self.layers)
        *hidden, last = layers
        dices = hidden[1::2]
        if all(dice.norm.alone(rows) for dice in dices) and library.ready(rows, last.weight):
            parameters = [
                parameter
                for layer, dice in zip(hidden[::2], dices, strict=True)
                for parameter in (layer.weight, layer.bias, dice.alpha)
            ]
            norms = [dice.norm for dice in dices]
            logits: Tensor = _Network.apply(rows, norms, *parameters, last.weight, last.bias)
        else:
            logits = self.layers(rows)
        return logits.view(inputs.shape[:-1])


class _Network(torch.autograd.Function):
    """The whole network in training by the kernel, which moves the running statistics as `BatchNorm` does."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        inputs: Tensor,  # (N, width)
        norms: list[BatchNorm],  # of each layer
        *parameters: Tensor,  # weight, bias and alpha of each layer, then weight and bias of the score
    ) -> Tensor:
        rows, width = inputs.shape
        library.require_fit(parameters[0].shape[1] == width, inputs, parameters[0])
        inputs = inputs.contiguous()
        widths = [width, *map(len, parameters[1:-2:3])]
        kept = inputs.new_empty((3 * rows + 2) * sum(map(library.whole, widths[1:])))
        means, variances, momenta = zip(*(norm.running() for norm in norms), strict=True)
        moments = [moment for both in zip(means, variances, strict=True) for moment in both]
        network = (rows, len(norms), torch.tensor(widths), inputs, parameters, kept)
        logits = inputs.new_empty(rows)
        threads = torch.get_num_threads() if rows * parameters[0].numel() > LITTLE else 1
        statistics = moments, norms[0].eps, momenta[0]
        library.call("prediction_head_forward", *network, *statistics, logits, threads)
        ctx.threads = threads
        ctx.save_for_backward(network[2], inputs, kept, *parameters)
        return logits

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        widths, inputs, kept, *parameters = ctx.saved_tensors
        of_parameters = [torch.empty_like(parameter) for parameter in parameters]
        of_inputs = torch.empty_like(inputs)
        network = (len(inputs), len(widths) - 1, widths, inputs, parameters, kept)
        outputs = gradient.contiguous(), of_parameters, of_inputs
        library.call("prediction_head_backward", *network, *outputs, ctx.threads)
        return of_inputs, None, *of_parameters
