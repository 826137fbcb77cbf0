"""The users: how active each is, from when on, and what interests each has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model_code.events.simulation.catalogue import Catalogue, Floats, Ints
from model_code.events.simulation.settings import SimulationSettings

LATEST_ARRIVAL = 0.95  # of the log's length: leaves the last to come some time to click


@dataclass(frozen=True)
class Users:
    """The users of one chunk that click at least once; n of them, K interests each.

    Attributes:
        user_id: (n,) published ids, rising.
        clicks: (n,) number of events.
        arrival: (n,) ms after the start of the log.
        strength: (n, K) running sum of the probabilities of the user's interests; the last is 1.
        home: (n, K) the category in which the user enters the interest, which tells the interest.
        taste: (n, K) the user's place on the interest's axis of taste, in [0, 1).
    """

    user_id: Ints
    clicks: Ints
    arrival: Floats
    strength: Floats
    home: Ints
    taste: Floats


def draw_users(
    simulation: SimulationSettings, catalogue: Catalogue, rng: np.random.Generator, first: int, last: int
) -> Users:
    """Draw the users with ids ``first + 1`` to ``last``."""
    n, k = last - first, simulation.interests_per_user
    clicks, arrival = _draw_activity(simulation, rng, n)
    interest = np.searchsorted(catalogue.interest_share, rng.random((n, k)), side="right")
    strength = np.cumsum(rng.gamma(0.8, size=(n, k)), axis=1)
    strength /= strength[:, -1:]
    ring_start = catalogue.interest_start[interest]
    ring_size = catalogue.interest_start[interest + 1] - ring_start
    home = ring_start + (rng.random((n, k)) * ring_size).astype(np.int64)
    taste = rng.random((n, k))
    some = np.flatnonzero(clicks)
    return Users(
        user_id=first + 1 + some,
        clicks=clicks[some],
        arrival=arrival[some],
        strength=strength[some],
        home=home[some],
        taste=taste[some],
    )


def _draw_activity(simulation: SimulationSettings, rng: np.random.Generator, n: int) -> tuple[Ints, Floats]:
    late = rng.random(n) >= simulation.early_share
    arrival = np.where(late, LATEST_ARRIVAL * rng.random(n), 0.0)
    mean_presence = 1.0 - (1.0 - simulation.early_share) * LATEST_ARRIVAL / 2
    sigma = simulation.activity_sigma
    rate = rng.lognormal(-(sigma**2) / 2, sigma, size=n)  # of mean 1
    mean = simulation.clicks / simulation.users / mean_presence
    return rng.poisson(mean * rate * (1.0 - arrival)), arrival * simulation.length_ms
