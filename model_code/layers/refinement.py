"""What follows an attention: residual, layer normalisation and a feed-forward network."""

from __future__ import annotations

from torch import Tensor, nn

from model_code.layers.initialisation import linear


class Refinement(nn.Module):
    r"""Events with what attention found for them (Xiao et al. 2020).

    $y = \mathrm{LayerNorm}(x + W a + b)$, then $y + W_2\,\mathrm{ReLU}(W_1 y + b_1) + b_2$, twice as wide in
    between; no normalisation after that, as in the authors' code.

    Shapes:
        nodes: x (..., d).
        attended: a (..., inputs).
        returns: (..., d).
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.projection = linear(inputs, width)
        self.norm = nn.LayerNorm(width)
        self.wide = linear(width, 2 * width)
        self.narrow = linear(2 * width, width)

    def forward(self, nodes: Tensor, attended: Tensor) -> Tensor:
        """Refine (..., d)."""
        normed: Tensor = self.norm(nodes + self.projection(attended))
        refined: Tensor = normed + self.narrow(self.wide(normed).relu())
        return refined
