"""The network that turns a model's vectors into a logit."""

from __future__ import annotations

from collections.abc import Sequence
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
        if library.ready(rows) and self.has_kernel(len(rows)):
            norms, parameters = self.network()
            logits: Tensor = _Network.apply(rows, norms, *parameters)
        else:
            logits = self.layers(rows)
        return logits.view(inputs.shape[:-1])

    def has_kernel(self, rows: int) -> bool:
        """Whether a kernel does the work for so many rows: it does in training."""
        norms, parameters = self.network()
        return all(norm.alone(rows) for norm in norms) and library.ready(*parameters)

    def network(self) -> tuple[list[BatchNorm], list[Tensor]]:
        """The normalisations; and weight, bias and alpha of each layer, then weight and bias of the last."""
        *hidden, last = self.layers
        norms, parameters = [], []
        for layer, dice in zip(hidden[::2], hidden[1::2], strict=True):
            norms.append(dice.norm)
            parameters += [layer.weight, layer.bias, dice.alpha]
        return norms, [*parameters, last.weight, last.bias]  # type: ignore[list-item, return-value]


def moments(norms: Sequence[BatchNorm]) -> tuple[list[Tensor], float, float]:
    """What the kernel needs of the normalisations: mean and variance of each, epsilon and momentum."""
    running = [norm.running() for norm in norms]
    return (
        [moment for mean, variance, _ in running for moment in (mean, variance)],
        norms[0].eps,
        running[0][2],
    )


def threads_for(rows: int, weight: Tensor) -> int:
    """How many threads so many rows are worth, with such a weight in the first layer."""
    return torch.get_num_threads() if rows * weight.numel() > LITTLE else 1


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
        network = (rows, len(norms), widths, inputs, parameters, kept)
        logits = inputs.new_empty(rows)
        ctx.threads, ctx.widths = threads_for(rows, parameters[0]), widths
        library.call("prediction_head_forward", *network, *moments(norms), logits, ctx.threads)
        ctx.save_for_backward(inputs, kept, *parameters)
        return logits

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, kept, *parameters = ctx.saved_tensors
        of_parameters = [torch.empty_like(parameter) for parameter in parameters]
        of_inputs = torch.empty_like(inputs)
        network = (len(inputs), len(ctx.widths) - 1, ctx.widths, inputs, parameters, kept)
        outputs = gradient.contiguous(), of_parameters, of_inputs
        library.call("prediction_head_backward", *network, *outputs, ctx.threads)
        return of_inputs, None, *of_parameters
