"""Adam on whole tensors: by a kernel on the CPU, else PyTorch's own."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Protocol

import torch
from torch import Tensor

from model_code.kernels import library
from model_code.training.row_adam import BETA_1, BETA_2

LITTLE = 50_000  # weights for each thread: to wake one takes as long


class DenseAdam(Protocol):
    """Adam with torch's defaults on weights by name, and its state under the names that torch gives it.

    A weight without a gradient stays as it is, and its steps are not counted.
    """

    def step(self) -> None:
        """Update the weights by their gradients."""

    def tensors(self) -> dict[str, Tensor]:
        """The state, ``step``, ``exp_avg`` and ``exp_avg_sq`` after each weight's name and a dot."""

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over the state that `tensors` gave."""


def dense_adam(weights: Mapping[str, Tensor], learning_rate: float) -> DenseAdam:
    """Adam on ``weights``, the faster that they allow."""
    fast = library.ready(*weights.values()) and all(weight.is_contiguous() for weight in weights.values())
    return (KernelAdam if fast else TorchAdam)(weights, learning_rate)


class TorchAdam:
    """`DenseAdam` by PyTorch."""

    def __init__(self, weights: Mapping[str, Tensor], learning_rate: float) -> None:
        self.names = list(weights)
        on_cpu = all(weight.device.type == "cpu" for weight in weights.values())
        self.adam = torch.optim.Adam(weights.values(), lr=learning_rate, fused=True, capturable=not on_cpu)

    def step(self) -> None:
        """Update the weights."""
        self.adam.step()

    def tensors(self) -> dict[str, Tensor]:
        """The state."""
        state = self.adam.state_dict()["state"]
        return {
            f"{self.names[index]}.{key}": value
            for index, values in state.items()
            for key, value in values.items()
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over a state."""
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            weight, _, key = name.rpartition(".")
            state.setdefault(self.names.index(weight), {})[key] = value
        self.adam.load_state_dict({"state": state, "param_groups": self.adam.state_dict()["param_groups"]})


class KernelAdam:
    """`DenseAdam` in one call, for contiguous float32 on the CPU."""

    def __init__(self, weights: Mapping[str, Tensor], learning_rate: float) -> None:
        self.learning_rate, self.names, self.weights = learning_rate, list(weights), list(weights.values())
        self.moments = [torch.zeros_like(weight) for weight in self.weights]
        self.squares = [torch.zeros_like(weight) for weight in self.weights]
        self.sizes = [weight.numel() for weight in self.weights]
        self.steps = [0] * len(self.weights)

    def step(self) -> None:
        """Update the weights."""
        gradients = [weight.grad for weight in self.weights]
        taken = [index for index, gradient in enumerate(gradients) if gradient is not None]
        for index in taken:
            self.steps[index] += 1
        steps = [self.steps[index] for index in taken]
        rates = {step: self.learning_rate / (1 - BETA_1**step) for step in {*steps}}
        corrections = {step: 1 / sqrt(1 - BETA_2**step) for step in {*steps}}
        sizes = [self.sizes[index] for index in taken]
        library.call(
            "adam_step",
            len(taken),
            sizes,
            [self.weights[index] for index in taken],
            [gradient.contiguous() for gradient in gradients if gradient is not None],
            [self.moments[index] for index in taken],
            [self.squares[index] for index in taken],
            [rates[step] for step in steps],
            [corrections[step] for step in steps],
            max(1, min(torch.get_num_threads(), sum(sizes) // LITTLE)),
        )

    def tensors(self) -> dict[str, Tensor]:
        """The state."""
        tensors: dict[str, Tensor] = {}
        for name, steps, moments, squares in zip(
            self.names, self.steps, self.moments, self.squares, strict=True
        ):
            if steps:
                tensors[f"{name}.step"] = torch.tensor(float(steps))
                tensors |= {f"{name}.exp_avg": moments, f"{name}.exp_avg_sq": squares}
        return tensors

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over a state."""
        for index, name in enumerate(self.names):
            if f"{name}.step" in tensors:
                self.steps[index] = int(tensors[f"{name}.step"])
                self.moments[index].copy_(tensors[f"{name}.exp_avg"])
                self.squares[index].copy_(tensors[f"{name}.exp_avg_sq"])
