"""A small prepared log for tests of training, and a training run in a process of its own."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from model_code.events.engine import EngineSettings
from model_code.models.choice import ModelChoice
from model_code.sequences.build import build
from model_code.sequences.data import SequenceData
from model_code.sequences.settings import SequenceSettings
from model_code.training.job import Job
from model_code.training.launch import run
from model_code.training.loop import Progress
from model_code.training.settings import TrainingSettings

USERS, EVENTS, TASTES, ITEMS_OF_A_TASTE = 150, 12, 5, 12
SETTINGS = SequenceSettings(max_length=6, negatives_per_positive=3, negative_block=200)


def write_small_log(folder: Path) -> SequenceData:
    """Users with one taste each, who click items of that taste: quickly learned."""
    rng = np.random.default_rng(0)
    user = np.repeat(np.arange(USERS), EVENTS)
    taste = rng.integers(0, TASTES, USERS)[user]
    item = taste * ITEMS_OF_A_TASTE + rng.integers(0, ITEMS_OF_A_TASTE, len(user))
    time = np.sort(rng.integers(0, 1_000_000, (USERS, EVENTS)), axis=1).ravel()
    split, validation = 800_000, 700_000
    part = (time >= validation).astype(np.int8) + (time >= split)
    table = pa.table(
        {"user_id": user, "item_id": item, "category_id": taste, "timestamp": time, "part": part}
    )
    folder.mkdir(parents=True)
    pq.write_table(table, folder / "events.parquet")
    manifest = {"split_timestamp": split, "validation_timestamp": validation}
    log = SimpleNamespace(path=folder, events=folder / "events.parquet", manifest=manifest)
    build(log, SETTINGS, EngineSettings(threads=1), folder / "sequences")  # type: ignore[arg-type]
    return SequenceData.load(folder / "sequences")


SMALL = {"deminet": {"interests": 2, "hidden": (16, 8)}}


def train_small(
    data_folder: Path,
    out: Path,
    checkpoint: Path,
    report=lambda progress: None,
    name: str = "deminet",
    **settings,
):
    """Train a small model on a small log in one thread."""
    training = TrainingSettings(
        **{"batch_size": 64, "epochs": 3, "threads": 1, "device": "cpu", "checkpoint_seconds": 0.0} | settings
    )
    job = Job(
        choice=ModelChoice(name=name, settings=SMALL.get(name, {})),
        training=training,
        data=str(data_folder),
        out=str(out),
        checkpoint=str(checkpoint),
        run="test",
    )
    return run(job, report)


def digest(path: Path) -> str:
    """Hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _tell(progress: Progress) -> None:
    sys.stdout.write(f"{progress.epoch} {progress.batch}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    data, bundle, saved = map(Path, sys.argv[1:4])
    train_small(data, bundle, saved, report=_tell, **json.loads(sys.argv[4]))
