"""The penalty on the vectors that a step looks up, `embedding_weight_decay` in the training settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from model_code.layers.embedding_table import EmbeddingTable


@contextmanager
def looked_up(model: nn.Module) -> Iterator[list[Tensor]]:
    """Yield a list that fills with what the model's embedding tables return while the body runs."""
    vectors: list[Tensor] = []

    def keep(_table: nn.Module, _ids: object, found: Tensor) -> None:
        vectors.append(found)

    with ExitStack() as hooks:
        for module in model.modules():
            if isinstance(module, EmbeddingTable):
                hooks.callback(module.register_forward_hook(keep).remove)
        yield vectors


def embedding_penalty(vectors: Sequence[Tensor], groups: int) -> Tensor:
    r"""$\frac{1}{2B} \sum_v \lVert v \rVert^2$ over all look-ups of B groups; padding, zero, adds nothing.

    A row's part of the gradient is itself times its look-ups a group: what is read often is held closer to
    zero, and what is not read in a step is not touched by it, as `model_code.training.row_adam` needs.
    """
    return torch.stack([found.square().sum() for found in vectors]).sum() / (2 * groups)
