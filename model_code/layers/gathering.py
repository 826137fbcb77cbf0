"""Rows of tables side by side, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from model_code.kernels import library


class Rows(NamedTuple):
    """Rows of a table, each as often as it is wanted.

    Shapes:
        values: (n, width), the rows that there are.
        places: (count,) int64, which of them are wanted.
        padding: the row that receives no gradient; None where all do.
    """

    values: Tensor
    places: Tensor
    padding: int | None = None


def gather(tables: Sequence[Rows], first: int) -> tuple[Tensor, Tensor]:
    """The rows wanted of each table, side by side: (first, width) and (count - first, width).

    Raises:
        IndexError: a place is negative, or not smaller than the number of rows.
    """
    if library.ready(*(table.values for table in tables)):
        places = [table.places.contiguous() for table in tables]
        library.require_fit(len({len(each) for each in places}) == 1 and first <= len(places[0]), *places)
        paddings = [-1 if table.padding is None else table.padding for table in tables]
        gathered: tuple[Tensor, Tensor] = _Gather.apply(places, first, paddings, *(t.values for t in tables))
        return gathered
    parts = [F.embedding(table.places, table.values, table.padding) for table in tables]
    whole = torch.cat(parts, -1) if len(parts) > 1 else parts[0]
    return whole[:first], whole[first:]


class _Gather(torch.autograd.Function):
    """`gather` by the kernel."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, places: list[Tensor], first: int, paddings: list[int], *values: Tensor
    ) -> tuple[Tensor, ...]:
        sizes, widths = zip(*(table.shape for table in values), strict=True)
        count, width = len(places[0]), sum(table.shape[1] for table in values)
        results = values[0].new_empty(first, width), values[0].new_empty(count - first, width)
        job, fit = (len(values), sizes, widths, places, first, count), torch.empty(1, dtype=torch.int64)
        library.call("gather", *job, values, results, fit, torch.get_num_threads())
        if not fit:
            raise IndexError(f"an id is negative, or too large for tables of {list(sizes)} rows")
        ctx.job, ctx.paddings, ctx.shapes = job, paddings, [table.shape for table in values]
        return results

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        of_results = [gradient.contiguous() for gradient in gradients]
        of_values = [of_results[0].new_empty(shape) for shape in ctx.shapes]
        library.call("gather_backward", *ctx.job, ctx.paddings, of_results, of_values)
        return None, None, None, *of_values
