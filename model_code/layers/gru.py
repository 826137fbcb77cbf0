"""A gated recurrent unit over histories."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model_code.layers.initialisation import linear, xavier
from model_code.layers.recurrence import recur


class GRU(nn.Module):
    r"""The GRU of DIEN (Zhou et al. 2019, "Interest Extractor Layer"):

    $$u_t = \sigma(W_u x_t + U_u h_{t-1} + b_u), \qquad r_t = \sigma(W_r x_t + U_r h_{t-1} + b_r),$$
    $$\tilde h_t = \tanh(W_h x_t + r_t \circ U_h h_{t-1} + b_h), \qquad
      h_t = (1 - u_t) \circ h_{t-1} + u_t \circ \tilde h_t, \qquad h_0 = 0$$

    The reset gate acts after the product with U_h, as in `torch.nn.GRU`, whose update gate is $1 - u_t$ and
    which has a second set of biases.

    Shapes:
        inputs: (B, L, d), left-aligned.
        returns: h (B, L, d); at padding the last valid event's, 0 if there is none.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inputs, self.states = gates(width)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Go through the histories (B, L, d)."""
        every = torch.ones_like(inputs[:, None, :, 0])
        return recur(self.inputs(inputs), self.states, every, mask, last=inputs.shape[1]).squeeze(1)


def gates(width: int) -> tuple[nn.Linear, nn.Parameter]:
    """Make W with b, and U, of reset gate, update gate and candidate state, one below the other (3 d, d)."""
    inputs = linear(width, 3 * width)
    inputs.weight = xavier(3 * width, width, inputs=width, outputs=width)
    return inputs, xavier(3 * width, width, inputs=width, outputs=width)
