"""Models that know the gradients of their loss themselves."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from model_code.groups import Group


@runtime_checkable
class OwnGradients(Protocol):
    """A model with a faster way than autograd from a batch to the gradients of its cross-entropy."""

    def gradients(self, group: Group) -> Tensor | None:
        """Set the ``grad`` of each weight that asks for one, in place of a forward and a backward pass.

        Args:
            group: a batch, all of it; candidate 0 is the positive.

        Returns:
            The cross-entropy, a scalar; ``None``, with nothing done, where the faster way does not serve.

        Raises:
            IndexError: an id is negative, or too large for its table.
            ValueError: the shapes of the group do not fit each other.
        """
