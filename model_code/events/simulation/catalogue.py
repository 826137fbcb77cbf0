"""The items: categories in rings of interests, and a popularity that is born, rises and fades."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_code.events.simulation.settings import DAY_MS, HOUR_MS, SimulationSettings

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

RISE_DAYS = 0.25  # an item is found within hours of its birth


@dataclass(frozen=True)
class Catalogue:
    """Items in order of (category, taste): a category is a range of items, and so is a window of taste in it.

    Attributes:
        item_id: (items,) published ids, 1 to ``items`` in random order.
        item_category: (items,) category of each item.
        category_id: (categories,) published ids.
        category_start: (categories + 1,) first item of each category.
        interest_start: (interests + 1,) first category of each interest's ring.
        interest_share: (interests,) running sum of the shares of the interests among users; the last is 1.
        step_ms: duration for which popularity is constant.
        edges: (steps * (items + 1),) running sums of popularity, row after row; row ``r`` runs from r to
            r + 1, so that the whole is sorted and one binary search serves all rows.
    """

    item_id: Ints
    item_category: Ints
    category_id: Ints
    category_start: Ints
    interest_start: Ints
    interest_share: Floats
    step_ms: int
    edges: Floats

    def draw(self, time: Floats, low: Ints, high: Ints, uniform: Floats) -> Ints:
        """Draw an item of each range ``[low, high)`` by its popularity at that time.

        A range of items that are all unborn at that time gives way to the whole catalogue.

        Args:
            time: (n,) ms after the start of the log.
            low: (n,) first item of the range.
            high: (n,) item behind the range.
            uniform: (n,) random numbers in [0, 1).

        Returns:
            (n,) items, as positions in the catalogue.
        """
        items = len(self.item_id)
        row = (time // self.step_ms).astype(np.int64)
        offset = row * (items + 1)
        bottom, top = self.edges[offset + low], self.edges[offset + high]
        empty = bottom == top
        bottom[empty], top[empty] = row[empty], row[empty] + 1
        value = bottom + uniform * (top - bottom)
        np.minimum(value, np.nextafter(top, 0), out=value)  # rounding must not step into the next range
        order = np.argsort(value)  # neighbouring searches touch the same memory
        found = np.empty_like(offset)
        found[order] = np.searchsorted(self.edges, value[order], side="right")
        return found - 1 - offset


def make_catalogue(simulation: SimulationSettings) -> Catalogue:
    """Make the items that all users see; a function of the settings alone."""
    rng = np.random.default_rng([simulation.seed, 0])
    items, categories = simulation.items, simulation.categories
    breadth = rng.lognormal(sigma=0.8, size=categories)
    size = 1 + rng.multinomial(items - categories, breadth / breadth.sum())
    interest = np.cumsum(rng.lognormal(sigma=0.5, size=simulation.interests))
    category = np.repeat(np.arange(categories), size)
    evergreen = rng.random(items) < simulation.evergreen
    life = simulation.lifetime_days * DAY_MS * rng.lognormal(sigma=0.7, size=items)
    # Those alive at the start were born evenly over a lifetime before it, those to come evenly over the log.
    born = rng.uniform(-life, simulation.length_ms)
    start = np.concatenate([[0], np.cumsum(size)])
    born[start[:-1]] = -life[start[:-1]]  # no category is ever empty
    life[evergreen] = np.inf
    rank = rng.permutation(items) + 1
    growth = rng.normal(scale=simulation.trend, size=categories)[category]
    step_ms = simulation.popularity_hours * HOUR_MS
    return Catalogue(
        item_id=rng.permutation(items) + 1,
        item_category=category,
        category_id=rng.permutation(categories) + 1,
        category_start=start,
        interest_start=np.linspace(0, categories, simulation.interests + 1).astype(np.int64),
        interest_share=interest / interest[-1],
        step_ms=step_ms,
        edges=_edges(simulation, rank, born, life, growth, step_ms),
    )


def _edges(
    simulation: SimulationSettings,
    rank: Ints,
    born: Floats,
    life: Floats,
    growth: Floats,
    step_ms: int,
) -> Floats:
    steps, items = simulation.length_ms // step_ms, len(born)
    at_birth = np.power(rank, -simulation.popularity_exponent)
    edges = np.zeros((steps, items + 1))
    for step in range(steps):
        start = step * step_ms  # an item is clicked from the first whole step of its life
        age = np.maximum(start - born, 0.0)
        weight = at_birth * -np.expm1(-age / (RISE_DAYS * DAY_MS)) * np.exp(-age / life)
        weight *= np.exp(growth * (start / simulation.length_ms))
        total = np.cumsum(weight)
        edges[step, 1:] = total / total[-1]
        edges[step] += step
    return edges.ravel()
