"""Several functions as one node of autograd."""

from __future__ import annotations

from torch import Tensor


class Tape:
    """Takes the place of the context of a `torch.autograd.Function` whose passes another one calls.

    To enter and leave a node, and to look after what it keeps, takes about as long as a small kernel. A
    function that calls others, forwards and backwards, is one node in their place.
    """

    saved_tensors: tuple[Tensor, ...] = ()

    def save_for_backward(self, *tensors: Tensor) -> None:
        """Keep tensors, as ``saved_tensors``."""
        self.saved_tensors = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Do nothing: who calls the backward pass decides which gradients are there."""
