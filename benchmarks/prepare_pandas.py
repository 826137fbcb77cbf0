"""The preparation of a log as one would write it in pandas: a yardstick, not a reference.

It keeps everything in memory, checks no record, keeps no count of what it drops, and draws no negatives.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from model_code.events.source import SourceSettings
from model_code.events.split import cut_index
from model_code.sequences.settings import SequenceSettings

MIN_INTERACTIONS, TEST, VALIDATION = 5, 0.2, 0.1
FIRST_ID = 2  # after padding and unknown


def prepare_in_pandas(raw: Path, settings: SequenceSettings, out: Path) -> None:
    """Write a log's event arrays and the samples of each part."""
    out.mkdir(exist_ok=True)
    source = SourceSettings(path=str(raw), format="taobao").as_table()
    events = pd.read_csv(raw, header=None, names=list(source.header or ()))
    start, end = (moment // 1000 for moment in source.window.milliseconds() if moment)
    events = events[events["timestamp"].between(start, end, inclusive="left")].drop_duplicates()
    events = events[events["behavior"].isin(source.behaviors_kept or ())]
    lengths = events.groupby("user_id")["item_id"].transform("size")
    events = events[lengths >= MIN_INTERACTIONS]
    events = events.sort_values(["user_id", "timestamp", "item_id"], ignore_index=True)
    times = np.sort(events["timestamp"].to_numpy())
    test = times[cut_index(len(times), TEST)]
    train = times[times < test]
    validation = train[cut_index(len(train), VALIDATION)]
    for name in ("item_id", "category_id"):
        known = events.loc[events["timestamp"] < validation, name].value_counts().index
        code = pd.Series(np.arange(len(known), dtype=np.int32) + FIRST_ID, index=known)
        np.save(out / f"{name}.npy", events[name].map(code).fillna(1).astype(np.int32).to_numpy())
    np.save(out / "timestamp.npy", events["timestamp"].to_numpy())
    first_of_user = events.index - events.groupby("user_id").cumcount()
    history_end = events.index - events.groupby(["user_id", "timestamp"]).cumcount()
    has_history = history_end > first_of_user
    part = (events["timestamp"] >= validation).astype(int) + (events["timestamp"] >= test).astype(int)
    for number in range(3):
        chosen = events[has_history & (part == number)].sort_values("timestamp", kind="stable").index
        ends = history_end[chosen]
        starts = np.maximum(first_of_user[chosen], ends - settings.max_length)
        np.save(out / f"samples_{number}.npy", np.column_stack([chosen, starts, ends]))
