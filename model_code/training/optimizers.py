"""The optimizer of a whole model: Adam, row by row on the large embedding tables."""

from __future__ import annotations

import math

from torch import Tensor, nn

from model_code import replicas
from model_code.layers.embedding_table import EmbeddingTable
from model_code.training.dense_adam import dense_adam
from model_code.training.row_adam import RowAdam
from model_code.training.settings import TrainingSettings


class ModelOptimizer:
    """Adam with torch's defaults.

    Embedding tables of ``training.row_updates_from`` rows and more are updated by `RowAdam`: the same result,
    in a time that does not grow with the vocabulary.
    """

    def __init__(self, model: nn.Module, settings: TrainingSettings) -> None:
        """Take over the updates of ``model``, until `close`.

        Args:
            model: on its device.
            settings: for the learning rate and ``row_updates_from``.
        """
        large = settings.row_updates_from or math.inf
        exchange = replicas.mean_rows if replicas.count() > 1 else None
        self.rows = {
            name: RowAdam(module, settings.learning_rate, exchange)
            for name, module in model.named_modules()
            if isinstance(module, EmbeddingTable) and module.num_embeddings >= large
        }
        dense = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self.weights = list(dense.values())
        self.dense = dense_adam(dense, settings.learning_rate)

    def begin(self, step: int) -> None:
        """Get ready for the forward pass of step ``step``, counted from 1."""
        for weight in self.weights:  # Optimizer.zero_grad takes ten times as long
            weight.grad = None
        for table in self.rows.values():
            table.begin(step)

    def step(self) -> None:
        """Update all weights; call after the backward pass."""
        self.dense.step()
        for table in self.rows.values():
            table.step()

    def flush(self) -> None:
        """Bring every row of every table up to date: before weights are used outside training steps."""
        for table in self.rows.values():
            table.flush()

    def close(self) -> None:
        """Hand the tables back to the model, up to date."""
        for table in self.rows.values():
            table.close()

    def tensors(self) -> dict[str, Tensor]:
        """The state of all updates by name, for a checkpoint."""
        tensors = self.dense.tensors()
        for name, table in self.rows.items():
            tensors |= {f"{name}.moments": table.moments, f"{name}.last": table.last}
        return tensors

    def load(self, tensors: dict[str, Tensor], steps: int) -> None:
        """Take over the state that `tensors` gave after ``steps`` steps."""
        tensors = dict(tensors)
        for name, table in self.rows.items():
            table.moments.copy_(tensors.pop(f"{name}.moments"))
            table.last.copy_(tensors.pop(f"{name}.last"))
            table.begin(steps + 1)
        self.dense.load(tensors)
