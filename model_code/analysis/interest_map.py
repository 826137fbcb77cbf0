"""Interest vectors of a user in the plane (Figure 4 of the DemiNet paper)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score

from model_code.analysis.cases import Id

PERPLEXITY = 30.0  # of t-SNE, where there are enough points


@dataclass(frozen=True)
class InterestMap:
    """The vectors V_k of one user with respect to various candidates: a point for each candidate and k."""

    user: Id
    points: tuple[tuple[float, float], ...]  # by t-SNE
    interest: tuple[int, ...]  # k of each point, from 0
    item: tuple[Id, ...]  # candidate of each point
    # Mean silhouette of the interests among the vectors themselves, not in the plane: 1 when those of one
    # interest lie together and apart from the others, about 0 when they mix. None if there is one interest.
    silhouette: float | None


def interest_map(user: Id, items: tuple[Id, ...], vectors: NDArray[np.float32], seed: int) -> InterestMap:
    """Project interest vectors to the plane.

    The perplexity, about how many neighbours t-SNE keeps close, is a third of the other points at most.

    Args:
        user: as logged.
        items: C candidates as logged.
        vectors: (C, K, d).
        seed: of t-SNE.

    Raises:
        ValueError: for fewer than two candidates, of which nothing can cluster.
    """
    candidates, interests, width = vectors.shape
    if candidates < 2:
        raise ValueError(f"an interest map needs two candidates or more, not {candidates}")
    flat = vectors.reshape(-1, width).astype(np.float64)
    interest = np.tile(np.arange(interests), candidates)
    perplexity = min(PERPLEXITY, (len(flat) - 1) / 3)
    points = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(flat)
    return InterestMap(
        user=user,
        points=tuple((float(x), float(y)) for x, y in points),
        interest=tuple(interest.tolist()),
        item=tuple(item for item in items for _ in range(interests)),
        silhouette=float(silhouette_score(flat, interest)) if interests > 1 else None,
    )
