"""One training step: forward, backward and the update, on this process's shard of a batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from model_code import replicas
from model_code.groups import Group, Output
from model_code.models.own_gradients import OwnGradients
from model_code.training.cross_entropy import cross_entropy
from model_code.training.optimizers import ModelOptimizer
from model_code.training.penalty import embedding_penalty, looked_up
from model_code.training.replay import Replay
from model_code.training.settings import TrainingSettings


def total_loss(model: nn.Module, output: Output) -> tuple[Tensor, dict[str, Tensor]]:
    """Cross-entropy plus the model's weighted extra losses (Eq. 20), and the parts by name.

    Column 0 of the logits is the positive, the others are negatives.
    """
    weights: dict[str, float] = model.loss_weights  # type: ignore[assignment]
    total = entropy = cross_entropy(output.logits)
    for name, value in output.losses.items():
        total = total + weights[name] * value
    return total, {"cross_entropy": entropy, **output.losses}


def step_seed(seed: int, step: int) -> int:
    """Seed of torch's generator at a step: dropout depends on the step alone, so a resumed run repeats it."""
    return (seed * 0x9E3779B97F4A7C15 + step) % 2**63


PENALTY = "embedding_penalty"  # its name among the losses


class TrainingStep:
    """A step of Adam on a batch; the device is not waited for.

    Attributes:
        names: of the losses: the total, the cross-entropy, the model's own, and the embeddings' penalty if
            it has a weight.
        sums: of these losses over the steps taken, and last the number of steps; (losses + 1,) float64.
    """

    def __init__(self, model: nn.Module, optimizer: ModelOptimizer, settings: TrainingSettings) -> None:
        self.model, self.optimizer, self.seed = model, optimizer, settings.seed
        alone = replicas.count() == 1
        self.own = model if alone and not model.loss_weights and isinstance(model, OwnGradients) else None
        device = next(model.parameters()).device
        self.decay = settings.embedding_weight_decay
        self.names = ["total", "cross_entropy", *model.loss_weights]  # type: ignore[misc]
        self.names += [PENALTY] if self.decay else []
        self.sums = torch.zeros(len(self.names) + 1, dtype=torch.float64, device=device)
        *self._totals, self._steps = self.sums  # views of each
        self.forward = model
        if replicas.count() > 1:
            self.forward = DistributedDataParallel(model, broadcast_buffers=False)
        self.compute = Replay(self._compute) if alone and device.type == "cuda" else self._compute
        # torch.manual_seed also notes a seed, and a stack trace with it, for GPUs that are not in use.
        self._seed = torch.default_generator.manual_seed if device.type == "cpu" else torch.manual_seed

    def __call__(self, group: Group, step: int) -> None:
        """Take step ``step``, counted from 1; ``group`` is the whole batch."""
        self._seed(step_seed(self.seed, step))
        self.optimizer.begin(step)
        self.compute(group)

    def _compute(self, group: Group) -> None:
        shard = replicas.shard(len(group.length))
        alone = shard.processes == 1  # then all groups are its own
        part = group if alone else Group(*(field[shard.start : shard.end] for field in group))
        with replicas.sharing(shard):
            total, parts = self._by_the_model(part) or self._by_autograd(part, shard)
        self.optimizer.step()
        with torch.no_grad():
            losses = [total, *(parts[name] for name in self.names[1:])]
            for sum_, loss in zip(self._totals, losses, strict=True):
                sum_.add_(loss, alpha=shard.weight)
            self._steps.add_(1)

    def _by_the_model(self, group: Group) -> tuple[Tensor, dict[str, Tensor]] | None:
        """The losses, as `_loss` gives them, once the model has computed the gradients, if it can."""
        if self.own is None or self.decay:
            return None
        loss = self.own.gradients(group)
        return None if loss is None else (loss, {"cross_entropy": loss})

    def _by_autograd(self, group: Group, shard: replicas.Shard) -> tuple[Tensor, dict[str, Tensor]]:
        """The losses after the backward pass."""
        total, parts = self._loss(group)
        (total if shard.processes == 1 else total * shard.weight).backward()
        return total, parts

    def _loss(self, group: Group) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a group, and its parts by name."""
        if not self.decay:
            return total_loss(self.model, self.forward(group))
        with looked_up(self.model) as vectors:
            total, parts = total_loss(self.model, self.forward(group))
        parts[PENALTY] = embedding_penalty(vectors, len(group.length))
        return total + self.decay * parts[PENALTY], parts
