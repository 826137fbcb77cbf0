"""Agreement of two views of the interests (Eq. 18)."""

from __future__ import annotations

from torch import Tensor


def self_supervision_loss(first: Tensor, second: Tensor) -> Tensor:
    r"""Symmetric Kullback-Leibler divergence between two views of the interests.

    $$L = \frac{1}{N} \sum_{n=1}^{N} \sum_{k=1}^{K}
      \tfrac{1}{2} KL(P'_{nk} \| P''_{nk}) + \tfrac{1}{2} KL(P''_{nk} \| P'_{nk}),
      \qquad P_{nk} = \mathrm{softmax}(V_{nk}) \tag{18}$$

    The softmax runs over the d dimensions of an interest. The paper calls this the Jensen-Shannon divergence,
    which Eq. 18 is not, and sums over the samples; the mean keeps beta independent of the batch size.

    Args:
        first: V' (..., K, d); the leading axes are the N samples.
        second: V'' of the same shape.

    Returns:
        The loss, a scalar.
    """
    log_p, log_q = first.log_softmax(-1), second.log_softmax(-1)
    # KL(P||Q) + KL(Q||P) = sum (P - Q) (log P - log Q)
    divergence = ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum((-2, -1)) / 2
    return divergence.mean()
