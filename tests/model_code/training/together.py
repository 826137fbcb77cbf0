"""Two or more processes of this machine that train as one, started by torchrun for the tests."""

from __future__ import annotations

import sys

import small_log  # noqa: F401 - beside this file
import torch
import torch.distributed as dist

from model_code import replicas
from model_code.layers.batch_norm import BatchNorm


def check_batch_norm() -> None:
    """Outputs, gradients and running statistics are those of one process with all rows."""
    torch.manual_seed(0)
    rows, scale = torch.randn(10, 3, dtype=torch.float64) * 3 + 1, torch.randn(10, 3, dtype=torch.float64)
    alone, shared = BatchNorm(3).double(), BatchNorm(3).double()
    whole = rows.clone().requires_grad_()
    expected = alone(whole)
    (expected * scale).sum().backward()

    shard = replicas.shard(5)  # groups of two rows
    here = slice(2 * shard.start, 2 * shard.end)
    part = rows[here].clone().requires_grad_()
    with replicas.sharing(shard):
        output = shared(part)
    (output * scale[here]).sum().backward()
    torch.testing.assert_close(output, expected[here])
    torch.testing.assert_close(part.grad, whole.grad[here])
    torch.testing.assert_close(shared.running_mean, alone.running_mean)
    torch.testing.assert_close(shared.running_var, alone.running_var)


def check_rows() -> None:
    """Rows of all processes arrive, whatever their numbers."""
    rank, count = replicas.rank(), replicas.count()
    rows = torch.arange(rank + 1) + 10 * rank
    gathered, gradients = replicas.mean_rows(rows, rows[:, None] * torch.ones(1, 2))
    expected = torch.cat([torch.arange(r + 1) + 10 * r for r in range(count)])
    assert torch.equal(gathered, expected)
    assert torch.equal(gradients, expected[:, None] * torch.ones(1, 2) / count)
    none, _ = replicas.mean_rows(rows[:0], torch.zeros(0, 2))
    assert len(none) == 0


def check_flags_and_means() -> None:
    """A wish of any process is known to all."""
    rank, count = replicas.rank(), replicas.count()
    assert replicas.any_of(rank == count - 1, False) == [True, False]
    assert replicas.mean(torch.tensor(float(rank))) == (count - 1) / 2
    assert replicas.of_first(lambda: rank) == 0
    covered = [replicas.shard(total) for total in (count, count + 1, 7 * count - 1)]
    for shard in covered:
        sizes = torch.tensor([shard.end - shard.start])
        dist.all_reduce(sizes)
        assert sizes == shard.total
    assert replicas.shard(count - 1) == (0, count - 1, count - 1, 1)


def check_batch_mean() -> None:
    """The mean over entries of which groups have different numbers is that of one process, gradient too."""
    numbers = torch.tensor([3, 0, 5, 1, 1, 0, 0, 4])
    for total in (len(numbers), 5, replicas.count() - 1):  # the last is not shared
        values = torch.arange(1.0, 1 + total, dtype=torch.float64, requires_grad=True)
        shard = replicas.shard(total)
        here = slice(shard.start, shard.end)
        sums = (values.square() * numbers[:total])[here].sum()
        with replicas.sharing(shard):
            part = replicas.batch_mean(sums, numbers[here].sum(), shard.end - shard.start) * shard.weight
        part.backward()
        expected = values.square() @ numbers[:total].double() / numbers[:total].sum()
        torch.testing.assert_close(replicas.mean(part.detach()), expected.detach())
        (of_whole,) = torch.autograd.grad(expected, values)
        torch.testing.assert_close(replicas.mean(values.grad), of_whole)
    none = replicas.shard(2 * replicas.count())
    with replicas.sharing(none):
        assert replicas.batch_mean(torch.zeros(()), torch.tensor(0), none.end - none.start) == 0


if __name__ == "__main__":
    dist.init_process_group("gloo")
    for name in sys.argv[1:]:
        globals()[name]()
    dist.destroy_process_group()
