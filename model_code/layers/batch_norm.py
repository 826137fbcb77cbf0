"""Normalisation over the batch, wherever its samples are."""

from __future__ import annotations

from torch import Tensor, nn

from model_code import replicas


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation without scale and shift, by the statistics of the whole batch.

    Where several processes share a batch, the statistics are of all their rows, on every kind of device
    (`torch.nn.SyncBatchNorm` knows GPUs only); so the result is that of one process.

    Shapes:
        inputs: (N, width); N is a multiple of the number of groups at hand.
        returns: (N, width).
    """

    def __init__(self, width: int) -> None:
        super().__init__(width, affine=False)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, width)."""
        shard = replicas.current(len(input))
        if not self.training or shard.processes == 1:
            return super().forward(input)
        rows = len(input) * shard.total // (shard.end - shard.start)
        mean = replicas.total(input.sum(0)) / rows
        centred = input - mean
        variance = replicas.total(centred.square().sum(0)) / rows
        self._follow(mean.detach(), variance.detach() * rows / max(rows - 1, 1))
        return centred * (variance + self.eps).rsqrt()

    def alone(self, rows: int) -> bool:
        """Whether the statistics are those of so many rows alone, and these are enough for a variance."""
        return self.training and rows > 1 and replicas.current(rows).processes == 1

    def running(self) -> tuple[Tensor, Tensor, float]:
        """The running mean and variance (width,), and how far to move them to a batch's, which is counted."""
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        return self.running_mean, self.running_var, self.momentum

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        running_mean, running_variance, momentum = self.running()
        running_mean.lerp_(mean, momentum)
        running_variance.lerp_(variance, momentum)
