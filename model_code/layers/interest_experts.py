"""The experts that score a candidate, one for each interest."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from model_code.layers.batch_norm import BatchNorm
from model_code.layers.initialisation import xavier
from model_code.layers.leaky_network import leaky_network


class InterestExperts(nn.Module):
    r"""K networks on the same input, each with its own batch normalisation: $o^k = f_k(BN_k(E'))$.

    $f_k$ is ``width -> hidden -> 1`` with LeakyReLU. As they read the same input, their normalisations have
    the same statistics: these are kept once, and each expert has its own scale and shift.

    Shapes:
        inputs: (N, width), one row a (history, candidate) pair.
        returns: logits (N, K).
    """

    def __init__(self, width: int, experts: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.norm = BatchNorm(width)
        self.scale = nn.Parameter(torch.ones(experts, 1, width))
        self.shift = nn.Parameter(torch.zeros(experts, 1, width))
        sizes = list(pairwise((width, *hidden, 1)))
        self.weights = nn.ParameterList(xavier(experts, a, b, inputs=a, outputs=b) for a, b in sizes)
        self.biases = nn.ParameterList(torch.zeros(experts, 1, b) for _, b in sizes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Score the rows by every expert: (N, K)."""
        bias, *biases = self.biases
        rows = self.norm(inputs)[None, None]  # the same for all experts
        outputs = leaky_network(rows, bias, list(self.weights), biases, self.scale, self.shift)
        return outputs[:, 0, :, 0].mT
