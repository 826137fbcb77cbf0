"""The gap statistic: into how many clusters vectors fall, which is how the DemiNet paper chose K."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

Points = NDArray[np.float64]  # (n, d)


@dataclass(frozen=True)
class GapStatistic:
    """Gap(k) for k = 1, 2, ..."""

    gap: tuple[float, ...]
    error: tuple[float, ...]  # s_k, the error of Gap(k) for having few reference sets
    chosen: int | None  # number of clusters; None if no k below the largest qualifies
    vectors: int  # number of points


def gap_statistic(points: Points, *, clusters: int, references: int, starts: int, seed: int) -> GapStatistic:
    r"""Compare how tightly k-means clusters points with how it clusters points without clusters.

    $\mathrm{Gap}(k) = \frac1B \sum_b \log W^*_{kb} - \log W_k$ (Eq. 3), over B reference sets; with the
    standard deviation $\mathrm{sd}_k$ of $\log W^*_{kb}$ over b, $s_k = \mathrm{sd}_k \sqrt{1 + 1/B}$. The
    number of clusters is the smallest k with $\mathrm{Gap}(k) \ge \mathrm{Gap}(k+1) - s_{k+1}$. That rule
    stops where the gap first ceases to grow, even if it leaps at a larger k: look at all of it.

    Source: R. Tibshirani, G. Walther, T. Hastie, Journal of the Royal Statistical Society B 63 (2001).

    Args:
        points: (n, d).
        clusters: the largest k.
        references: B.
        starts: of k-means, of which the tightest clustering is taken.
        seed: of k-means and the reference sets.

    Raises:
        ValueError: for no more distinct points than ``clusters``: nothing would be left to disperse.
    """
    distinct = len(np.unique(points, axis=0))
    if distinct <= clusters:
        raise ValueError(
            f"a gap statistic up to {clusters} clusters needs more distinct points than {distinct}"
        )
    own = _log_dispersions(points, clusters, starts, seed)
    reference = reference_sets(points, references, seed)
    drawn = [_log_dispersions(uniform, clusters, starts, seed) for uniform in reference]
    gap = np.mean(drawn, axis=0) - own
    error = np.std(drawn, axis=0) * np.sqrt(1 + 1 / references)
    qualifies = np.flatnonzero(gap[:-1] >= gap[1:] - error[1:])
    chosen = int(qualifies[0]) + 1 if len(qualifies) else None
    return GapStatistic(tuple(gap.tolist()), tuple(error.tolist()), chosen, len(points))


def dispersion(points: Points, label: NDArray[np.int32]) -> float:
    r"""$W_k = \sum_r \frac{1}{2 n_r} \sum_{i, j \in C_r} \|x_i - x_j\|^2$ (Eq. 2).

    Half the squared distances of a cluster's points to each other, over their number, are its squared
    distances to its mean.
    """
    clusters = (points[label == cluster] for cluster in np.unique(label))
    return float(sum(((cluster - cluster.mean(axis=0)) ** 2).sum() for cluster in clusters))


def reference_sets(points: Points, count: int, seed: int) -> Iterator[Points]:
    """Sets of n points, uniform over the box that is aligned with the principal axes of ``points``.

    The paper's choice (b): unlike a box along the coordinates, it takes the shape of the data.
    """
    generator = np.random.default_rng(seed)
    mean = points.mean(axis=0)
    axes = np.linalg.svd(points - mean, full_matrices=False)[2]
    along = (points - mean) @ axes.T
    low, high = along.min(axis=0), along.max(axis=0)
    for _ in range(count):
        yield generator.uniform(low, high, size=along.shape) @ axes + mean


def _log_dispersions(points: Points, clusters: int, starts: int, seed: int) -> NDArray[np.float64]:
    """log W_k for k = 1 to ``clusters``."""
    dispersions = []
    for k in range(1, clusters + 1):
        label = KMeans(k, n_init=starts, random_state=seed).fit_predict(points)
        dispersions.append(dispersion(points, label))
    return np.log(dispersions)
