"""DMIN's auxiliary loss: what comes next."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_code import replicas
from model_code.layers.initialisation import linear
from model_code.layers.packing import Packing


class NextItemLoss(nn.Module):
    r"""Tells the next event of a history from another item, by the state before it.

    $$L = -\frac{1}{N} \sum_{b, t} \log \sigma\big(f([s_t \| e_{t+1}])\big)
      + \log\big(1 - \sigma(f([s_t \| \hat e_{t+1}]))\big)$$

    f is a network ``2d -> hidden -> 1`` with sigmoids between its layers; the sum is over the N pairs of
    consecutive events of the histories of a batch, and 0 when there is none.

    The other item $\hat e_{t+1}$ is one of the group's own negatives, the first for the first pair and so on,
    round and round: nothing is drawn, so that it depends neither on padding nor on the other groups, and
    the user has not clicked it. Without a negative there is nothing to tell apart: the loss is 0 then.

    $W [s \| e] = W_s s + W_e e$, so that a negative goes through the first layer once, however often it is
    compared.

    Shapes:
        states: s (B, L, d), left-aligned.
        items: e (B, L, d).
        negatives: (B, C - 1, d).
        mask: (B, L) bool.
        returns: a scalar; its mean over the processes, each by its `Shard.weight`, is the batch's.
    """

    def __init__(self, width: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.first = linear(2 * width, hidden[0])
        self.others = nn.ModuleList(linear(a, b) for a, b in pairwise((*hidden, 1)))

    def forward(self, states: Tensor, items: Tensor, negatives: Tensor, mask: Tensor) -> Tensor:
        """Compare the next events with the negatives."""
        if negatives.shape[1] == 0:
            return states.new_zeros(())
        pairs = mask[:, 1:]  # of an event and the next, which is valid
        packing = Packing.of_mask(pairs)
        turns = torch.arange(pairs.shape[1], device=mask.device) % negatives.shape[1]
        of_state, of_item = self.first.weight.chunk(2, 1)
        state = F.linear(packing.pack(states[:, :-1]), of_state, self.first.bias)
        clicked = F.linear(packing.pack(items[:, 1:]), of_item)
        other = packing.pack(F.linear(negatives, of_item).index_select(1, turns))
        outputs = torch.cat([state + clicked, state + other])
        for layer in self.others:
            outputs = layer(outputs.sigmoid())
        of_clicked, of_other = outputs.squeeze(1).chunk(2)
        losses = F.softplus(-of_clicked) + F.softplus(of_other)
        valid = packing.pack(pairs[..., None]).squeeze(1).to(losses.dtype)
        return replicas.batch_mean((losses * valid).sum(), pairs.sum(), len(mask))
