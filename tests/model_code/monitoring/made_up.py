"""Observations that are made up: users with a few groups each, of one positive and its negatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from model_code.monitoring.observations import Kind, Observations, observations

START, DAY = 1_710_460_800_000, 86_400_000
WIDTH = 5


def made_up(
    users: int = 300,
    seed: int = 0,
    quality: float = 1.5,
    days: int = 3,
    kind: Kind = "log",
    **changes: Any,
) -> Observations:
    """Rows in order of time; scores tell clicks the better the higher ``quality``."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(users), 1 + rng.poisson(4, users))
    n = len(groups)
    user, label = np.repeat(groups, WIDTH), np.tile(np.arange(WIDTH) == 0, n)
    taste = np.repeat(rng.normal(0, 0.5, users)[groups], WIDTH)
    logit = quality * label + taste + rng.normal(size=n * WIDTH) - 2
    columns: dict[str, Any] = {
        "user": user,
        "source": pa.array(rng.integers(0, users, n * WIDTH), mask=label),
        "time": np.repeat(START + np.sort(rng.integers(0, days * DAY, n)), WIDTH),
        "label": label.astype(np.int8),
        "score": (1 / (1 + np.exp(-logit))).astype(np.float32),
        "category": rng.choice(["a", "b", "c"], n * WIDTH, p=[0.5, 0.3, 0.2]),
        "category_known": np.ones(n * WIDTH, dtype=bool),
        "item_known": rng.random(n * WIDTH) < 0.9,
        "user_known": np.repeat(rng.random(users)[groups] < 0.8, WIDTH),
        "popularity_decile": rng.integers(1, 11, n * WIDTH),
        "history_length": np.repeat(rng.integers(1, 21, n), WIDTH),
        "gap_ms": np.repeat(rng.lognormal(12, 2, n).astype(np.int64), WIDTH),
    }
    for name, change in changes.items():
        columns[name] = change(columns[name]) if callable(change) else change
    return observations(columns, START, START + days * DAY, kind)
