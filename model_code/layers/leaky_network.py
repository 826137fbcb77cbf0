"""Networks of linear layers with LeakyReLU between them, several at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from model_code.kernels import library

LITTLE = 1_000_000  # products; below, waking a thread takes longer than its share


def leaky_network(
    inputs: Tensor,
    start: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    scale: Tensor | None = None,
    shift: Tensor | None = None,
) -> Tensor:
    r"""Run E networks on S groups of R rows: $x \mapsto W x + b$ layer by layer, LeakyReLU (0.01) between.

    In place of a bias, the first layer has a vector for each group, which its rows share: what they have in
    common of a longer input is multiplied once. With S = 1 it is a bias.

    Args:
        inputs: (E, S, R, width), or (1, S, R, width) if all networks read the same.
        start: of the first layer's sums, (E, S, first width).
        weights: of each layer, (E, in, out); transposes of (E, out, in) are as good.
        biases: of each layer after the first, (E, 1, out).
        scale: of the inputs, for each network, (E, 1, width), with a shift.
        shift: of the same shape. The networks read inputs times scale plus shift, which nobody forms: both
            become a part of the first layer.

    Returns:
        (E, S, R, last width).

    Raises:
        ValueError: the shapes do not fit each other.
    """
    normal = [values for values in (scale, shift) if values is not None]
    _require_fit(inputs, start, weights, biases, normal)
    if library.ready(inputs, start, *normal, *weights, *biases):
        kept = torch.is_grad_enabled()
        fused: Tensor = _Fused.apply(inputs, start, scale, shift, kept, *weights, *biases)
        return fused
    first = weights[0]
    if scale is not None and shift is not None:
        start, first = start + shift @ first, scale.mT * first
    outputs: Tensor = inputs.flatten(1, 2) @ first
    outputs = (outputs.unflatten(1, inputs.shape[1:3]) + start[:, :, None]).flatten(1, 2)
    for weight, bias in zip(weights[1:], biases, strict=True):
        outputs = torch.baddbmm(bias, F.leaky_relu(outputs), weight)
    result: Tensor = outputs.unflatten(1, inputs.shape[1:3])
    return result


def _require_fit(
    inputs: Tensor,
    start: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    normal: Sequence[Tensor],
) -> None:
    """Check what the kernel does not."""
    fit = inputs.dim() == 4 and start.dim() == 3 and inputs.shape[1] == start.shape[1]
    if fit:
        networks, widths = len(start), [values.shape[-1] for values in (inputs, start, *biases)]
        fit = inputs.shape[0] in (1, networks) and len(normal) in (0, 2)
        fit = fit and [tuple(w.shape) for w in weights] == [(networks, a, b) for a, b in pairwise(widths)]
        vectors = zip((*biases, *normal), (*widths[2:], *[widths[0]] * len(normal)), strict=True)
        fit = fit and all(values.shape == (networks, 1, width) for values, width in vectors)
    library.require_fit(fit, inputs, start, *weights, *biases, *normal)


class _Fused(torch.autograd.Function):
    """All of it by the kernel, some rows at a time in a core's cache; see ``kernels/leaky_network.c``."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        inputs: Tensor,
        start: Tensor,
        scale: Tensor | None,
        shift: Tensor | None,
        kept: bool,  # whether a backward pass will want the hidden layers
        *parameters: Tensor,  # weights of each layer, then biases of those after the first
    ) -> Tensor:
        none = inputs.new_empty(0)  # no memory: NULL
        ctx.absent = scale is None
        given = (inputs, start, scale, shift)
        vectors = [none if values is None else values.contiguous() for values in given]
        layers = (len(parameters) + 1) // 2
        # Which weights lie by outputs, as `torch.nn.Linear` holds them: the kernel reads either.
        ctx.turned = [values.mT.is_contiguous() for values in parameters[:layers]] + [False] * (layers - 1)
        memory = [
            values.mT if turned else values.contiguous()
            for values, turned in zip(parameters, ctx.turned, strict=True)
        ]
        networks, rows = len(start), inputs.shape[1] * inputs.shape[2]
        widths = [inputs.shape[-1], *(values.shape[-1] for values in parameters[:layers])]
        outputs = inputs.new_empty(networks, *inputs.shape[1:3], widths[-1])
        hidden = inputs.new_empty(kept * networks * rows * sum(map(library.whole, widths[1:-1])))
        products = networks * rows * sum(a * b for a, b in pairwise(widths))
        ctx.threads = torch.get_num_threads() if products > LITTLE else 1
        ctx.sizes = networks, *inputs.shape[:3], layers
        ctx.widths = widths
        network = *ctx.sizes, widths, ctx.turned, *vectors, memory, hidden
        library.call("leaky_network_forward", *network, outputs, ctx.threads)
        ctx.save_for_backward(*vectors, hidden, *memory)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, start, scale, shift, hidden, *memory = ctx.saved_tensors
        of_vectors = [torch.zeros_like(values) for values in (inputs, start, scale, shift)]
        of_memory = [torch.empty_like(values) for values in memory]
        library.call(
            "leaky_network_backward",
            *(*ctx.sizes, ctx.widths, ctx.turned, inputs, start, scale, shift, memory, hidden),
            *(gradient.contiguous(), *of_vectors, of_memory, ctx.threads),
        )
        of_parameters = [
            values.mT if flag else values for values, flag in zip(of_memory, ctx.turned, strict=True)
        ]
        of_normal = (None, None) if ctx.absent else of_vectors[2:]
        return *of_vectors[:2], *of_normal, None, *of_parameters
