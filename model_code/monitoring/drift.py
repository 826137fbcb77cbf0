"""How far a window's distributions are from the reference's, and how far noise alone would take them.

Rows of one user are not independent; users are taken to be. So the noise limit of a distance comes from the
reference's own users: two samples of them, drawn with replacement, one of as many users as the reference has
and one as large as the window, are as far apart as two periods without drift would be. The limit is a high
quantile of many such distances.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model_code.monitoring import features
from model_code.monitoring.behaviors import Behaviors
from model_code.monitoring.features import NOT_COUNTED, Binning
from model_code.monitoring.observations import Observations

Measure = Literal["PSI", "difference"]
Counts = NDArray[np.float64]

PSEUDO_COUNT = 0.5  # added to each bin: an empty one would make the index infinite


@dataclass(frozen=True)
class Feature:
    """What is compared and how; ``of`` says of which rows."""

    name: str
    title: str
    measure: Measure
    of: Literal["events", "all"]  # the clicked rows of logs, or all
    bins: Binning


FEATURES = (
    Feature("category", "Category", "PSI", "events", features.categories),
    Feature("popularity", "Popularity of the item", "PSI", "events", features.popularity),
    Feature("history_length", "Length of the history", "PSI", "events", features.history_length),
    Feature("gap", "Time since the last event", "PSI", "events", features.gap),
    Feature("hour", "Hour of the day", "PSI", "events", features.hour),
    Feature(
        "unknown_items", "Items unknown to the model", "difference", "events", features.unknown("item_known")
    ),
    Feature(
        "unknown_categories",
        "Categories unknown to the model",
        "difference",
        "events",
        features.unknown("category_known"),
    ),
    Feature(
        "unknown_users", "Users unknown to the model", "difference", "events", features.unknown("user_known")
    ),
    Feature("score", "Score", "PSI", "all", features.score),
)
BEHAVIOR = "behavior"


@dataclass(frozen=True)
class NoiseSettings:
    """How noise is measured: ``quantile`` of ``replicates`` distances without drift, drawn by ``seed``."""

    quantile: float
    replicates: int
    seed: int


@dataclass(frozen=True)
class Drift:
    """One feature of a window against the reference.

    Attributes:
        name: of the feature, as in `FEATURES`.
        title: for people.
        measure: "PSI", or the "difference" of the share of the last of two bins.
        value: the distance; a difference has a sign, above zero where the window has more.
        noise_limit: what noise alone hardly ever exceeds, in absolute value.
        bins: labels.
        reference: share of each bin.
        window: share of each bin.
    """

    name: str
    title: str
    measure: Measure
    value: float
    noise_limit: float
    bins: tuple[str, ...]
    reference: tuple[float, ...]
    window: tuple[float, ...]


def drifts(reference: Observations, window: Observations, noise: NoiseSettings) -> list[Drift]:
    """Compare each feature that both have; see `FEATURES`.

    Args:
        reference: at least one row.
        window: at least one row.
        noise: how it is measured.
    """
    both_logs = reference.kind == window.kind == "log"
    pairs = {"all": (reference, window), "events": (reference, window)}
    if both_logs:
        pairs["events"] = reference.select(reference.clicked), window.select(window.clicked)
    found = []
    for number, feature in enumerate(FEATURES):
        pair = pairs[feature.of]
        binned = feature.bins(*pair) if min(map(len, pair)) else None
        if binned is not None:
            counts = (
                count_by_user(pair[0], binned.reference, len(binned.bins)),
                count_by_user(pair[1], binned.window, len(binned.bins)),
            )
            found.append(
                _drift(feature.name, feature.title, feature.measure, binned.bins, *counts, noise, number)
            )
    return found


def behavior_drift(
    reference: Behaviors | None, window: Behaviors | None, noise: NoiseSettings
) -> Drift | None:
    """Compare the behaviour mix; ``None`` where either log has no behaviours."""
    if reference is None or window is None:
        return None
    names = sorted({*reference.names, *window.names})

    def aligned(mix: Behaviors) -> Counts:
        counts = np.zeros((len(mix.events), len(names)))
        counts[:, [names.index(name) for name in mix.names]] = mix.events
        return counts

    tables = aligned(reference), aligned(window)
    return _drift(BEHAVIOR, "Behaviour mix", "PSI", tuple(names), *tables, noise, len(FEATURES))


def _drift(
    name: str,
    title: str,
    measure: Measure,
    bins: tuple[str, ...],
    reference: Counts,
    window: Counts,
    noise: NoiseSettings,
    number: int,
) -> Drift:
    distance = psi if measure == "PSI" else difference
    rng = np.random.default_rng([noise.seed, number])
    null = distance(
        resample(reference, len(reference), noise.replicates, rng),
        resample(reference, equivalent_users(reference, window), noise.replicates, rng),
    )
    of_reference, of_window = reference.sum(axis=0), window.sum(axis=0)
    return Drift(
        name=name,
        title=title,
        measure=measure,
        value=float(distance(of_reference, of_window)),
        noise_limit=float(np.quantile(np.abs(null), noise.quantile)),
        bins=bins,
        reference=shares(of_reference),
        window=shares(of_window),
    )


def psi(reference: Counts, window: Counts) -> NDArray[np.float64]:
    """Population stability index of counts (..., bins): sum of (w - r) ln(w / r) over shares r and w.

    It is the sum of the relative entropies both ways, in nats. Half a count is added to each bin.
    """
    r, w = (_smoothed(counts) for counts in (reference, window))
    index: NDArray[np.float64] = ((w - r) * np.log(w / r)).sum(axis=-1)
    return index


def difference(reference: Counts, window: Counts) -> NDArray[np.float64]:
    """Share of the last bin in the window minus that in the reference, of counts (..., bins)."""
    r, w = (counts[..., -1] / np.maximum(counts.sum(axis=-1), 1) for counts in (reference, window))
    gap: NDArray[np.float64] = w - r
    return gap


def shares(counts: Counts) -> tuple[float, ...]:
    """Share of each bin; all zero where nothing was counted."""
    return tuple((counts / max(counts.sum(), 1)).tolist())


def count_by_user(table: Observations, codes: features.Codes, bins: int) -> Counts:
    """(users, bins) rows of each user in each bin; users without a counted row are left out."""
    counted = codes != NOT_COUNTED
    users, user = np.unique(table.column("user")[counted], return_inverse=True)
    flat = np.bincount(user * bins + codes[counted], minlength=len(users) * bins)
    return flat.reshape(len(users), bins).astype(np.float64)


def equivalent_users(reference: Counts, window: Counts) -> int:
    """How many of the reference's users stand for the window's, of counts by user (users, bins).

    As many as the window has; fewer where a reference user has more rows than a window's, so that the rows
    are never more than the window's: rather too much noise than too little.
    """
    rows = window.sum() / max(reference.sum(axis=1).mean(), 1e-9) if len(reference) else 0
    return max(min(len(window), round(rows)), 1)


def resample(counts: Counts, users: int, replicates: int, rng: np.random.Generator) -> Counts:
    """(replicates, bins) counts of samples of ``users`` users, drawn with replacement."""
    if len(counts) == 0:
        return np.zeros((replicates, counts.shape[1]))
    drawn = np.empty((replicates, counts.shape[1]))
    for row in drawn:
        weight = np.bincount(rng.integers(len(counts), size=users), minlength=len(counts))
        row[:] = weight.astype(np.float64) @ counts
    return drawn


def _smoothed(counts: Counts) -> Counts:
    smoothed: Counts = counts + PSEUDO_COUNT
    smoothed /= smoothed.sum(axis=-1, keepdims=True)
    return smoothed
