"""The clicks of a chunk of users: when each happens, with what intent, on which item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from model_code.events.simulation.catalogue import Catalogue, Floats, Ints
from model_code.events.simulation.settings import DAY_MS, SimulationSettings
from model_code.events.simulation.users import Users, draw_users

Bools = NDArray[np.bool_]

SCHEMA = pa.schema(
    [
        ("user_id", pa.int64()),
        ("item_id", pa.int64()),
        ("category_id", pa.int64()),
        ("behavior", pa.string()),
        ("timestamp", pa.int64()),
    ]
)
BEHAVIORS = ("pv", "cart", "fav", "buy")
BEHAVIOR_SHARES = (0.896, 0.055, 0.029, 0.020)  # about those of Taobao's log

SHORTEST_GAP_MS = 4_000.0  # so that two clicks of a user hardly ever share a second
MEDIAN_GAP_MS = 20_000.0  # of what comes on top within a session
GAP_SIGMA = 1.2
RETURNS = 0.5  # share of sessions that soon follow the one before; the others come at any time
MEDIAN_PAUSE_MS = 40 * 60_000.0  # before a session that follows soon
PAUSE_SIGMA = 1.5
BUSIEST = 0.5  # share of a user's time in sessions and short pauses, at most; beyond, the clicks come faster


@dataclass(frozen=True)
class Frame:
    """Which user and which session each click belongs to; n clicks in order of (user, time).

    Attributes:
        user: (n,) row of the user in the chunk.
        user_start: (n,) position of the user's first click.
        new_user: (n,) whether the click is its user's first.
        new_session: (n,) whether the click opens a session.
    """

    user: Ints
    user_start: Ints
    new_user: Bools
    new_session: Bools


def simulate_chunk(
    simulation: SimulationSettings, catalogue: Catalogue, chunk: int, chunk_users: int
) -> pa.RecordBatch:
    """Simulate one chunk of users, whatever happened to the others.

    Returns:
        rows of `SCHEMA` in order of (user, timestamp); timestamps in ms since the epoch.
    """
    rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence([simulation.seed, 1 + chunk])))
    first = chunk * chunk_users
    users = draw_users(simulation, catalogue, rng, first, min(first + chunk_users, simulation.users))
    frame = _draw_frame(simulation, users, rng)
    time = _draw_times(simulation, users, frame, rng)
    item = _draw_items(simulation, catalogue, users, frame, time, rng)
    behavior = np.searchsorted(np.cumsum(BEHAVIOR_SHARES)[:-1], rng.random(len(item)), side="right")
    columns = [
        pa.array(users.user_id[frame.user]),
        pa.array(catalogue.item_id[item]),
        pa.array(catalogue.category_id[catalogue.item_category[item]]),
        pa.DictionaryArray.from_arrays(behavior.astype(np.int8), BEHAVIORS).cast(pa.string()),
        pa.array(time.astype(np.int64) + simulation.start_ms),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _draw_frame(simulation: SimulationSettings, users: Users, rng: np.random.Generator) -> Frame:
    user = np.repeat(np.arange(len(users.clicks)), users.clicks)
    user_start = (np.cumsum(users.clicks) - users.clicks)[user]
    new_user = user_start == np.arange(len(user))
    new_session = new_user | (rng.random(len(user)) < 1.0 / simulation.session_clicks)
    return Frame(user, user_start, new_user, new_session)


def _draw_times(
    simulation: SimulationSettings, users: Users, frame: Frame, rng: np.random.Generator
) -> Floats:
    """Time of each click in ms after the start of the log, rising within a user.

    Gaps within bursts have lengths of their own. What remains of a user's time is cut at random, evenly, into
    the waits before each burst and after the last: the mixture is heavy-tailed, and no day is favoured.
    """
    n, present = len(frame.user), simulation.length_ms - users.arrival
    gap = SHORTEST_GAP_MS + MEDIAN_GAP_MS * np.exp(GAP_SIGMA * rng.standard_normal(n))
    opening = np.flatnonzero(frame.new_session)
    gap[opening] = MEDIAN_PAUSE_MS * np.exp(PAUSE_SIGMA * rng.standard_normal(len(opening)))
    burst = opening[frame.new_user[opening] | (rng.random(len(opening)) >= RETURNS)]
    gap[burst] = 0.0
    busy = np.bincount(frame.user, gap, len(present))
    pace = np.minimum(1.0, BUSIEST * present / np.maximum(busy, 1.0))
    wait = rng.exponential(size=len(burst))
    waits = np.bincount(frame.user[burst], wait, len(present)) + rng.exponential(size=len(present))
    gap *= pace[frame.user]
    gap[burst] = wait * ((present - pace * busy) / waits)[frame.user[burst]]
    time = np.cumsum(gap)
    time += users.arrival[frame.user] - (time - gap)[frame.user_start]
    # Slower clock at noon, faster at midnight: the order of clicks and the ends of the log stay.
    day = 2 * np.pi / DAY_MS
    time += simulation.daily_cycle / day * np.sin(day * time)
    return np.clip(time, 0.0, simulation.length_ms - 1.0, out=time)


def _draw_items(
    simulation: SimulationSettings,
    catalogue: Catalogue,
    users: Users,
    frame: Frame,
    time: Floats,
    rng: np.random.Generator,
) -> Ints:
    """Item of each click: of the intent, or a popular one, or one that the user had before."""
    category, taste = _draw_intents(simulation, catalogue, users, frame, time, rng)
    first = catalogue.category_start[category]
    size = catalogue.category_start[category + 1] - first
    low = (np.maximum(taste - simulation.taste_width, 0.0) * size).astype(np.int64)
    high = np.ceil(np.minimum(taste + simulation.taste_width, 1.0) * size).astype(np.int64)
    low += first
    high += first
    noise = rng.random(len(time)) < simulation.noise
    low[noise], high[noise] = 0, len(catalogue.item_id)
    item = catalogue.draw(time, low, high, rng.random(len(time)))
    return item[_draw_sources(simulation, frame, rng)]


def _draw_intents(
    simulation: SimulationSettings,
    catalogue: Catalogue,
    users: Users,
    frame: Frame,
    time: Floats,
    rng: np.random.Generator,
) -> tuple[Ints, Floats]:
    """Category (n,) and taste (n,) that each click aims at.

    A session, or a part of it, walks through one interest: along the ring of its categories and up and down
    its axis of taste, from where the user usually enters.
    """
    n = len(frame.user)
    switched = rng.random(n) < simulation.switching
    restarts = frame.new_session | switched
    fresh = frame.new_user | switched | (frame.new_session & (rng.random(n) >= simulation.persistence))
    at = np.flatnonzero(fresh)
    home, entry = _draw_fresh_intents(simulation, catalogue, users, frame.user, time, at, rng)
    intent = np.cumsum(fresh) - 1
    part = np.flatnonzero(restarts)[np.cumsum(restarts) - 1]

    advances = np.cumsum(rng.random(n) < simulation.advancing)
    ring = np.searchsorted(catalogue.interest_start, home, side="right") - 1
    ring_start = catalogue.interest_start[ring]
    ring_size = catalogue.interest_start[ring + 1] - ring_start
    steps = (home - ring_start)[intent] + advances - advances[part]
    category = ring_start[intent] + steps % ring_size[intent]

    walk = np.cumsum(simulation.taste_step * rng.standard_normal(n))
    taste = entry[intent] + walk - walk[part]
    return category, np.abs((taste + 1.0) % 2.0 - 1.0)  # the ends of the axis reflect


def _draw_fresh_intents(
    simulation: SimulationSettings,
    catalogue: Catalogue,
    users: Users,
    user: Ints,
    time: Floats,
    at: Ints,
    rng: np.random.Generator,
) -> tuple[Ints, Floats]:
    """Category and taste with which the intents begin that are newly taken up at the clicks ``at``."""
    row = user[at]
    slot = (rng.random(len(at))[:, None] >= users.strength[row]).sum(axis=1)
    category, taste = users.home[row, slot], users.taste[row, slot]
    explores = np.flatnonzero(rng.random(len(at)) < simulation.exploration)
    nowhere = np.zeros_like(explores)
    everywhere = nowhere + len(catalogue.item_id)
    found = catalogue.draw(time[at[explores]], nowhere, everywhere, rng.random(len(explores)))
    category[explores] = catalogue.item_category[found]
    first = catalogue.category_start[category[explores]]
    size = catalogue.category_start[category[explores] + 1] - first
    taste[explores] = (found - first + 0.5) / size
    return category, taste


def _draw_sources(simulation: SimulationSettings, frame: Frame, rng: np.random.Generator) -> Ints:
    """Position of the click whose item each click takes: its own, or for a repeat an earlier one's."""
    source = np.arange(len(frame.user))
    repeat = np.flatnonzero(rng.random(len(source)) < simulation.repeats)
    lag = (1.0 / (1.0 - rng.random(len(repeat)))).astype(np.int64)  # at least k with probability 1/k
    earlier = repeat - lag
    within = earlier >= frame.user_start[repeat]
    repeat = repeat[within]
    source[repeat] = earlier[within]
    while True:  # a repeat of a repeat takes the item of the first
        origin = source[source[repeat]]
        if np.array_equal(origin, source[repeat]):
            return source
        source[repeat] = origin
