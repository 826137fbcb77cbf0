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

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
