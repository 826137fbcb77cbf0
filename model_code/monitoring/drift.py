"""How far a window's distributions are from the reference's, and how far noise alone would take them.

The noise limit of a distance comes from the reference's own users: two samples of them, drawn with
replacement, one of as many users as the reference has and one as large as the window, are as far apart as two
periods without drift would be. The limit is a high quantile of many such distances; see
`model_code.monitoring.noise`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model_code.monitoring import features
from model_code.monitoring.behaviors import Behaviors
from model_code.monitoring.features import Binning
from model_code.monitoring.noise import NoiseSettings, Sums, Units, equivalent_users, sum_by_unit
from model_code.monitoring.observations import Observations

Measure = Literal["PSI", "difference"]

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
            codes = binned.reference, binned.window
            units = [
                sum_by_unit(table, code, len(binned.bins)) for table, code in zip(pair, codes, strict=True)
            ]
            found.append(
                _drift(feature.name, feature.title, feature.measure, binned.bins, units, noise, number)
            )
    return found


def behavior_drift(
    reference: Behaviors | None, window: Behaviors | None, noise: NoiseSettings
) -> Drift | None:
    """Compare the behaviour mix; ``None`` where either log has no behaviours."""
    if reference is None or window is None:
        return None
    names = sorted({*reference.names, *window.names})

    def aligned(mix: Behaviors) -> Units:
        sums = np.zeros((len(mix.events), len(names)))
        sums[:, [names.index(name) for name in mix.names]] = mix.events
        return Units(sums, len(sums), int(sums.sum()))

    units = [aligned(mix) for mix in (reference, window)]
    return _drift(BEHAVIOR, "Behaviour mix", "PSI", tuple(names), units, noise, len(FEATURES))


def _drift(
    name: str,
    title: str,
    measure: Measure,
    bins: tuple[str, ...],
    units: Sequence[Units],
    noise: NoiseSettings,
    number: int,
) -> Drift:
    distance = psi if measure == "PSI" else difference
    rng = np.random.default_rng([noise.seed, number])
    reference, window = units
    null = distance(
        reference.resample(reference.users, noise.replicates, rng),
        reference.resample(equivalent_users(reference, window), noise.replicates, rng),
    )
    of_reference, of_window = reference.total, window.total
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


def psi(reference: Sums, window: Sums) -> NDArray[np.float64]:
    """Population stability index of counts (..., bins): sum of (w - r) ln(w / r) over shares r and w.

    It is the sum of the relative entropies both ways, in nats. Half a count is added to each bin.
    """
    r, w = (_smoothed(counts) for counts in (reference, window))
    index: NDArray[np.float64] = ((w - r) * np.log(w / r)).sum(axis=-1)
    return index


def difference(reference: Sums, window: Sums) -> NDArray[np.float64]:
    """Share of the last bin in the window minus that in the reference, of counts (..., bins)."""
    r, w = (counts[..., -1] / np.maximum(counts.sum(axis=-1), 1) for counts in (reference, window))
    gap: NDArray[np.float64] = w - r
    return gap


def shares(counts: Sums) -> tuple[float, ...]:
    """Share of each bin; all zero where nothing was counted."""
    return tuple((counts / max(counts.sum(), 1)).tolist())


def _smoothed(counts: Sums) -> Sums:
    smoothed: Sums = counts + PSEUDO_COUNT
    smoothed /= smoothed.sum(axis=-1, keepdims=True)
    return smoothed
