"""What a piece of work asks of the machine: its floating point operations, and the bytes it touches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

# These read as many rows of their first argument as they return, not the whole table.
_LOOKUPS = {"aten::embedding", "aten::index", "aten::index_select", "aten::gather"}
# These leave memory as they find it; the first returns a view, though its schema does not say so.
_UNTOUCHING = {"aten::_unsafe_view", "aten::empty", "aten::empty_like", "aten::empty_strided"}
_UNTOUCHING |= {"aten::new_empty", "aten::new_empty_strided"}


class Demand(NamedTuple):
    """Counts of one run of a piece of work."""

    operations: int  # of matrix products; a multiplication and an addition are two
    bytes: int  # of all tensors that go into and come out of all operators


class ByteCounter(TorchDispatchMode):
    """Sums, over the operators that run inside, the bytes of the tensors they read and write.

    Views cost nothing, a broadcast tensor counts as the memory behind it, and a lookup in a table as the
    rows found. What an operator rereads, or keeps in between, is not seen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operator, and add what it touched."""
        result = func(*args, **(kwargs or {}))
        if func.namespace == "aten" and not func.is_view and func._schema.name not in _UNTOUCHING:
            self.bytes += _touched(func._schema, args, kwargs or {}, result)
        return result


def _touched(schema: torch.FunctionSchema, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int:
    written = _bytes(result)
    if schema.name in _LOOKUPS:
        return 2 * written + _bytes([args[1:], kwargs])
    if not schema.returns:  # an operator on lists of tensors, which it changes in place
        changed = [a.alias_info is not None and a.alias_info.is_write for a in schema.arguments]
        written = _bytes([value for value, write in zip(args, changed, strict=False) if write])
    return written + _bytes([args, kwargs])


def _bytes(values: Any) -> int:
    tensors: Iterable[Tensor] = (leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor))
    return sum(min(t.numel() * t.element_size(), t.untyped_storage().nbytes()) for t in tensors)


def count(work: Callable[[], object]) -> Demand:
    """Run ``work`` twice and count."""
    # One after the other: to count operations, torch takes some operators apart, which would move more bytes.
    with FlopCounterMode(display=False) as operations:
        work()
    with ByteCounter() as moved:
        work()
    return Demand(operations.get_total_flops(), moved.bytes)
