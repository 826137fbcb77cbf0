"""Interest capsules of a history: MIND's, of one shared map, and ComiRec-DR's, of a map per position."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model_code.layers.dynamic_routing import Routing, route
from model_code.layers.initialisation import linear, xavier

LOGITS_SEED = 0  # of MIND's initial routing logits


class SharedCapsules(nn.Module):
    r"""K capsules by behaviour-to-interest routing (Li et al. 2019, Algorithm 1).

    The vote of event i is $S e_i$ for every capsule, with one bilinear map S for all pairs; `route` does the
    rest. Equal initial logits would make all capsules equal for ever, so they are random, N(0, 1).

    Where the paper is silent: when they are drawn. Here once, by a generator of their own, for each capsule
    and position: they are not learned, are kept with the weights, and are the same for every history, so that
    a score depends on nothing but the group. The deviation 1 is the authors' code's.

    Shapes:
        history: (B, L, d), left-aligned, L up to ``max_length``.
        mask: (B, L), true at events.
        returns: `Routing`, with capsules (B, K, d).
    """

    logits: Tensor

    def __init__(self, width: int, interests: int, max_length: int, iterations: int) -> None:
        super().__init__()
        self.iterations = iterations
        self.bilinear = linear(width, width, bias=False)
        generator = torch.Generator().manual_seed(LOGITS_SEED)
        logits = torch.randn(interests, max_length, generator=generator, device="cpu")
        self.register_buffer("logits", logits)

    def forward(self, history: Tensor, mask: Tensor) -> Routing:
        """Extract the K interests of each history."""
        return route(self.bilinear(history), self.logits[:, : history.shape[1]], mask, self.iterations)


class PositionCapsules(nn.Module):
    r"""K capsules by dynamic routing with a map for each position and capsule (Cen et al. 2020).

    The vote of the event at position i for capsule k is $W_{ik} e_i$; `route` does the rest. The maps differ,
    so the initial logits are 0.

    All votes are one product per position, (B, d) by (d, K d). They lie position by position, and routing
    reads them so: nothing is laid out anew.

    Shapes:
        history: (B, L, d), left-aligned, L up to ``max_length``.
        mask: (B, L), true at events.
        returns: `Routing`, with capsules (B, K, d).
    """

    def __init__(self, width: int, interests: int, max_length: int, iterations: int) -> None:
        super().__init__()
        self.interests, self.iterations = interests, iterations
        # The transposed W_ik of all k side by side.
        self.maps = xavier(max_length, width, interests * width, inputs=width, outputs=width)

    def forward(self, history: Tensor, mask: Tensor) -> Routing:
        """Extract the K interests of each history."""
        batch, length, width = history.shape
        votes = history.transpose(0, 1) @ self.maps[:length]  # (L, B, K d)
        votes = votes.view(length, batch * self.interests, width).transpose(0, 1)
        return route(votes, votes.new_zeros(self.interests, 1), mask, self.iterations)
