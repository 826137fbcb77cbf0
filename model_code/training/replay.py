"""A computation on a GPU, recorded once and replayed: one launch in place of hundreds."""

from __future__ import annotations

from collections.abc import Callable

import torch

from model_code.groups import Group

EAGER_CALLS = 3  # before recording: libraries choose and load their kernels, Adam makes its moments


class Replay:
    """Runs a function of a group, as a CUDA graph from the fourth group of the same shape on.

    What the function reads besides the group must stay where it is in memory (weights, moments, a clock);
    what changes from call to call must be written there, not handed over. Random numbers follow the
    generator's seed, as in any call. Groups of another shape, as the last batch of a pass, run as they are.
    """

    def __init__(self, function: Callable[[Group], None]) -> None:
        self.function = function
        self.calls = 0
        self.recorded: Group | None = None  # whose memory the graph reads
        self.graph = torch.cuda.CUDAGraph()
        self.stream = torch.cuda.Stream()

    def __call__(self, group: Group) -> None:
        """Run the function."""
        if self.recorded is not None and same_shape(group, self.recorded):
            for field, memory in zip(group, self.recorded, strict=True):
                memory.copy_(field)
            self.graph.replay()
            return
        self.calls += 1
        if self.recorded is None and self.calls > EAGER_CALLS:
            self._record(group)
            self.graph.replay()
            return
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            self.function(group)
        torch.cuda.current_stream().wait_stream(self.stream)

    def _record(self, group: Group) -> None:
        self.recorded = Group(*(field.clone() for field in group))
        with torch.cuda.graph(self.graph, stream=self.stream):
            self.function(self.recorded)


def same_shape(first: Group, second: Group) -> bool:
    """Whether all fields have the same shapes."""
    return all(a.shape == b.shape for a, b in zip(first, second, strict=True))
