"""DIEN's recurrence, in which attention scales the update gate."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from model_code.layers.gru import gates
from model_code.layers.recurrence import recur

Form = Literal["paper", "official"]


class AUGRU(nn.Module):
    r"""A GRU with attentional update gate (Zhou et al. 2019, "Interest Evolving Layer").

    Each candidate has its own states. With the update gate $u_t$ and the candidate state $c_t$ as `GRU` has
    them, and the attention $a_t$ that the candidate pays to the event:

    $$\text{paper:}\quad \tilde u_t = a_t u_t, \quad
      h_t = (1 - \tilde u_t) \circ h_{t-1} + \tilde u_t \circ c_t$$
    $$\text{official:}\quad u'_t = (1 - a_t) u_t, \quad h_t = u'_t \circ h_{t-1} + (1 - u'_t) \circ c_t$$

    An event without attention leaves the state alone in the paper's form. In that of the released code it is
    a step of a plain GRU, whose update gate is $1 - u_t$.

    $W x_t$ does not depend on the candidate, and is computed once an event.

    Shapes:
        inputs: (B, L, d), left-aligned.
        attention: (B, C, L).
        returns: the state after the last valid event (B, C, d), 0 if there is none.
    """

    def __init__(self, width: int, form: Form) -> None:
        super().__init__()
        self.official = form == "official"
        self.inputs, self.states = gates(width)

    def forward(self, inputs: Tensor, attention: Tensor, mask: Tensor) -> Tensor:
        """Go through the histories (B, L, d) once for each candidate: (B, C, d)."""
        shares = self.inputs(inputs)
        if self.official:  # 1 - u' = 1 + (a - 1) u
            return recur(shares, self.states, attention - 1, mask, offset=1.0, last=1).squeeze(2)
        return recur(shares, self.states, attention, mask, last=1).squeeze(2)
