r"""Adam for embedding tables: the result of Adam over the whole table, at the cost of the rows looked up.

Adam moves every row at every step, rows without a gradient too: their moments decay, and the decaying
momentum goes on moving them. But a row that nobody reads may wait. Let a row have been updated last at step
s, with moments m and v, and be looked up in step t + 1. The n = t - s steps between, in which its gradient
was zero, are made up for at once:

$$m_t = \beta_1^n m_s, \qquad v_t = \beta_2^n v_s, \qquad w_t = w_s - \eta \sum_{j=1}^n
  \frac{\beta_1^j m_s / (1 - \beta_1^{s+j})}{\sqrt{v_s} / q_j + \epsilon}, \qquad
  q_j = \sqrt{(1 - \beta_2^{s+j}) / \beta_2^j}$$

Without $\epsilon$ the sum is $S m_s / \sqrt{v_s}$ with $S = \sum_j (\beta_1 / \sqrt{\beta_2})^j c_{s+j}$,
$c_i = \sqrt{1 - \beta_2^i} / (1 - \beta_1^i)$, and its derivative by $\epsilon$ is $-T m_s / v_s$ with
$T = \sum_j (\beta_1 / \beta_2)^j (1 - \beta_2^{s+j}) / (1 - \beta_1^{s+j})$. The code takes

$$m_s S^2 / (\sqrt{v_s} S + \epsilon T),$$

which has that value, that derivative, and the right order for large $\epsilon$. As the q of the steps that
count differ little, little is left. S and T are differences of tails:
$\sum_{j=1}^n a^j f_{s+j} = F_s - a^n F_t$ with $F_s = \sum_{j \ge 1} a^j f_{s+j}$ from a table.

"Lazy" Adam, `torch.optim.SparseAdam`, leaves these steps out: a row that is looked up rarely then moves up to
ten times less for each of its gradients than under Adam: another model.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import sqrt
from typing import NamedTuple

import torch
from torch import Tensor

from model_code.groups import PADDING
from model_code.kernels.library import call, ready
from model_code.layers.embedding_table import EmbeddingTable
from model_code.layers.gathering import Rows

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # torch.optim.Adam's defaults
DECAYS = (BETA_1 / sqrt(BETA_2), BETA_1 / BETA_2)  # a, of S and of T
SETTLED = 1 << 14  # step from which the tails no longer change in float32
TINY = 1e-30  # in place of 0 / 0 where no step was missed
CHUNK = 1 << 16  # rows brought up to date at once

# Of the rows (n,) and gradients (n, width) of one process: those of all processes, one after the other.
Exchange = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class LookUp(NamedTuple):
    """Rows that were looked up in a step, and a leaf that their gradient arrives at.

    Shapes:
        rows: (n,), distinct.
        values: (n, width).
    """

    rows: Tensor
    values: Tensor


class RowAdam:
    """Adam on one table, row by row; see the docstring of the module.

    Answers the table's look-ups in training mode, until `close`. The weights as such are up to date only
    after `flush`. On devices other than the CPU all shapes are fixed, and nothing waits for the device.
    """

    # Of step t + 1: t, and what its corrections multiply m and the root of v by.
    done: int
    rate: float
    correction: float

    def __init__(self, table: EmbeddingTable, learning_rate: float, exchange: Exchange | None = None) -> None:
        """Take over the updates of ``table``.

        Args:
            table: its weight no longer asks for a gradient, until `close`.
            learning_rate: Adam's.
            exchange: collects the gradients of several processes; None where there is one.
        """
        weight = table.weight
        self.table, self.learning_rate, self.exchange = table, float(learning_rate), exchange
        self.moments = weight.new_zeros(len(weight), 2, weight.shape[1])  # m and v
        self.last = torch.zeros(len(weight), dtype=torch.int32, device=weight.device)  # s
        self.tails = torch.tensor(_tails(), device=weight.device)
        self.fast = ready(weight)  # kernels do the work
        if self.fast:
            self.powers = _powers()
            self.seen = torch.zeros_like(self.last)  # scratch
        self.clock = torch.zeros(3, device=weight.device)  # done, rate, correction; not for the kernels
        self.looked_up: list[LookUp] = []  # in this step
        self.begin(1)
        table.reader = self.look_up
        weight.requires_grad_(False)

    def begin(self, step: int) -> None:
        """Get ready for step ``step``, counted from 1."""
        self.looked_up.clear()
        self.done = step - 1
        self.rate = self.learning_rate / (1 - BETA_1**step)
        self.correction = 1 / sqrt(1 - BETA_2**step)
        if not self.fast:
            now = torch.tensor([self.done, self.rate, self.correction])
            self.clock.copy_(now, non_blocking=True)

    def look_up(self, ids: Tensor) -> Rows:
        """Find rows as of this step: ids (count,)."""
        if self.fast:
            rows, values, places = self._read(ids.long().contiguous())
        else:
            rows, places = distinct(ids)
            values = self._up_to_date(rows)[0]
        self.looked_up.append(LookUp(rows, values.requires_grad_()))
        return Rows(values, places)

    def step(self) -> None:
        """Update the rows that were looked up; call after the backward pass."""
        touched = [(rows, values.grad) for rows, values in self.looked_up if values.grad is not None]
        if not touched and self.exchange is None:
            return
        rows, gradient = touched[0] if len(touched) == 1 else self._none(touched)
        if self.exchange is not None:
            rows, gradient = self.exchange(rows, gradient)
        if len(touched) > 1 or self.exchange is not None:
            rows, place = distinct(rows)
            gradient = self._sum(gradient, place, len(rows))
        self._update(rows, gradient)

    @torch.no_grad()
    def flush(self) -> None:
        """Bring all rows up to date, as of the last step done."""
        if self.fast:
            call("row_adam_flush", len(self.last), *self._state())
            return
        for rows in torch.arange(len(self.last), device=self.last.device).split(CHUNK):
            self._write(rows, *self._up_to_date(rows), self.clock[0])

    def close(self) -> None:
        """Hand the table back, up to date."""
        self.flush()
        self.looked_up.clear()
        self.table.reader = None
        self.table.weight.requires_grad_()

    def _read(self, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The distinct rows of ids (count,), their values, and where each id stands among them."""
        count, size = len(ids), len(self.last)
        rows, places, number = torch.empty_like(ids), torch.empty_like(ids), ids.new_empty(1)
        values = self.moments.new_empty(count, self.moments.shape[-1])
        call("row_adam_read", ids, count, size, self.seen, rows, places, number, values, *self._state())
        if (n := int(number)) < 0:
            raise IndexError(f"an id is negative, or not smaller than {size}")
        return rows[:n], values[:n], places

    def _update(self, rows: Tensor, gradient: Tensor) -> None:
        """Step t + 1 for distinct rows (n,) with gradient (n, width)."""
        if not self.fast:
            self._update_by_pytorch(rows, gradient)
            return
        step = rows, len(rows), gradient, PADDING, self.rate, self.correction
        call("row_adam_step", *step, *self._state())
        self.done += 1

    @torch.no_grad()
    def _update_by_pytorch(self, rows: Tensor, gradient: Tensor) -> None:
        gradient = gradient * (rows != PADDING)[:, None]
        weight, moments = self._up_to_date(rows)
        _, rate, correction = self.clock
        first = moments[:, 0].lerp_(gradient, 1 - BETA_1)
        second = moments[:, 1].lerp_(gradient.square(), 1 - BETA_2)
        weight.sub_(rate * first / (second.sqrt() * correction + EPSILON))
        self.clock[0] += 1
        self._write(rows, weight, moments, self.clock[0])

    def _state(self) -> tuple[Tensor | int | float, ...]:
        """The last arguments of the kernels."""
        memory = self.table.weight, self.moments, self.last, self.tails, self.powers
        return torch.get_num_threads(), *memory, self.moments.shape[-1], self.done, self.learning_rate

    @torch.no_grad()
    def _up_to_date(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (n, width) and moments (n, 2, width) of some rows after step t."""
        weight, moments = self.table.weight.index_select(0, rows), self.moments.index_select(0, rows)
        last, now = self.last.index_select(0, rows)[:, None], self.clock[0]
        missed = now - last
        value, slope = (
            tail.take(last.clamp(max=SETTLED).long())
            - decay**missed * tail.take(now.clamp(max=SETTLED).long())
            for tail, decay in zip(self.tails, DECAYS, strict=True)
        )
        denominator = moments[:, 1].sqrt() * value + EPSILON * slope + TINY
        weight -= self.learning_rate * moments[:, 0] * value.square() / denominator
        moments[:, 0] *= BETA_1**missed
        moments[:, 1] *= BETA_2**missed
        return weight, moments

    def _write(self, rows: Tensor, weight: Tensor, moments: Tensor, step: Tensor) -> None:
        self.table.weight.index_copy_(0, rows, weight)
        self.moments.index_copy_(0, rows, moments)
        self.last.index_copy_(0, rows, step.int().expand_as(rows))

    def _sum(self, vectors: Tensor, place: Tensor, number: int) -> Tensor:
        """Sums of the vectors (count, width) with the same place (count,): (number, width)."""
        if self.fast:
            total = vectors.new_empty(number, vectors.shape[-1])
            call("sum_by_place", vectors, place, place.numel(), *total.shape, total)
            return total
        return vectors.new_zeros(number, vectors.shape[-1]).index_add_(0, place, vectors)

    def _none(self, touched: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """Several look-ups, or none, as one."""
        nothing = self.last.new_empty(0).long(), self.moments.new_empty(0, self.moments.shape[-1])
        rows, gradients = zip(nothing, *touched, strict=True)
        return torch.cat(rows), torch.cat(gradients)


def distinct(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Each id once, and where each of ``ids`` (...) stands among them.

    Returns:
        The ids (n,), ascending, and places of the shape of ``ids``. On devices other than the CPU n is fixed,
        the number of ``ids``; what is left of it is padding.
    """
    ordered, order = ids.flatten().sort()
    number = torch.zeros_like(ordered)
    torch.cumsum(ordered[1:] != ordered[:-1], 0, out=number[1:])
    rows = torch.full_like(ordered, PADDING).scatter_(0, number, ordered)
    place = torch.empty_like(number).scatter_(0, order, number)
    if ids.device.type == "cpu" and len(rows):
        rows = rows[: int(number[-1]) + 1]
    return rows, place.view_as(ids)


@cache
def _powers() -> Tensor:
    """Betas and a's to the power of 0 to `SETTLED`; (1 + SETTLED, 4)."""
    bases = torch.tensor([BETA_1, BETA_2, *DECAYS], dtype=torch.float64)
    return (bases ** torch.arange(1 + SETTLED)[:, None]).float()


@cache
def _tails() -> tuple[list[float], ...]:
    """F_s for s from 0 to `SETTLED`, of S and of T."""

    def tail(decay: float, power: float) -> list[float]:
        tails = [decay / (1 - decay)]
        for step in range(SETTLED, 0, -1):
            factor = (1 - BETA_2**step) ** power / (1 - BETA_1**step)
            tails.append(decay * (factor + tails[-1]))
        return tails[::-1]

    return tail(DECAYS[0], 0.5), tail(DECAYS[1], 1)
