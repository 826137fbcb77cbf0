"""Windows of simulated logs, seen by a model of item popularity that was fitted on many such users."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

from model_code.events.engine import EngineSettings
from model_code.events.ingest import ingest
from model_code.events.simulate import DEMO, simulate
from model_code.events.simulation.drift import DriftSettings, plant_drift
from model_code.events.source import ColumnSettings, SourceSettings, TimeSettings
from model_code.events.split import SplitSettings, split
from model_code.models.choice import ModelChoice
from model_code.models.table import build as build_model
from model_code.monitoring.behaviors import Behaviors, count_behaviors
from model_code.monitoring.from_log import describe
from model_code.monitoring.observations import Observations
from model_code.monitoring.reference import Reference
from model_code.scoring import predict, recode, sigmoid
from model_code.sequences.build import build
from model_code.sequences.data import SequenceFolder
from model_code.sequences.logged_ids import LoggedIds
from model_code.sequences.settings import SequenceSettings
from model_code.sequences.vocabulary import Vocabulary

USERS = 500  # of a window without drift
WINDOWS = 20
SEVERAL = 6  # such windows' users together, where drift is planted
START, END = "2024-03-15T00:00:00+00:00", 1_710_720_000_000  # 15 March, 18 March
SIMULATION = replace(DEMO, users=(WINDOWS + 1) * USERS, clicks=(WINDOWS + 1) * USERS * 16)
KEPT = ("pv",)
SOURCE = SourceSettings(
    path="-",
    columns=ColumnSettings(
        user_id="user_id",
        item_id="item_id",
        category_id="category_id",
        behavior="behavior",
        timestamp="timestamp",
    ),
    time=TimeSettings(unit="ms"),
    behaviors_kept=KEPT,
    ids="integer",
)


class Window(NamedTuple):
    observations: Observations
    behaviors: Behaviors | None


class Prepared(NamedTuple):
    sequences: SequenceFolder
    behaviors: Behaviors | None


def rows_of(rows: pa.Table, first: int, count: int) -> pa.Table:
    """The clicks of some windows' users: independent of all others, and of the same law."""
    number = pc.divide(pc.subtract(rows["user_id"], 1), USERS)
    return rows.filter(pc.and_(pc.greater_equal(number, first), pc.less(number, first + count)))


def prepare(rows: pa.Table, folder: Path) -> Prepared:
    folder.mkdir(parents=True)
    pq.write_table(rows, folder / "raw.parquet")
    engine = EngineSettings(threads=1)
    clicks = ingest(replace(SOURCE, path=str(folder / "raw.parquet")), engine, folder / "clicks")
    parts = split(clicks, SplitSettings(test_from=START), engine, folder / "split")
    build(parts, SequenceSettings(), engine, folder / "sequences")
    start = parts.manifest["split_timestamp"]
    return Prepared(SequenceFolder(folder / "sequences"), count_behaviors(clicks.behaviors, start, END))


class World:
    """A log of many users, the model fitted on it, and windows of users that drift or do not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = pa.Table.from_batches(simulate(SIMULATION))
        everyone = prepare(self.rows, folder / "everyone")
        self.vocabulary = Vocabulary.load(everyone.sequences.path)
        data = everyone.sequences.load()
        self.model = build_model("popularity", ModelChoice(name="popularity").typed_settings, data.shape)
        self.everyone = self.observe(everyone.sequences)
        logged = LoggedIds.load(everyone.sequences).users.to_numpy()
        self.number = (logged[self.everyone.column("user")] - 1) // USERS
        self.reference = Reference(self.window(0), None)
        before = self.planted(None, first=0)
        self.large_reference = Reference(before.observations, before.behaviors)

    def observe(self, sequences: SequenceFolder) -> Observations:
        data, logged = sequences.load(), LoggedIds.load(sequences)
        seen = recode(data, logged, self.vocabulary, 20, torch.device("cpu"))
        scores = sigmoid(predict(self.model, data, seen, "test"))
        return describe(data, logged, self.vocabulary, seen, scores, END)

    def window(self, number: int) -> Observations:
        """Users without drift, in the same period as the reference's."""
        return self.everyone.select(self.number == number)

    def planted(self, kind: str | None, strength: float = 0.0, first: int = SEVERAL) -> Window:
        """Users with drift, prepared as a log of their own."""
        rows = rows_of(self.rows, first, SEVERAL)
        if kind is not None:
            rows = plant_drift(rows, DriftSettings(kind=kind, strength=strength, start=START))
        prepared = prepare(rows, self.folder / f"{kind}-{strength}-{first}")
        return Window(self.observe(prepared.sequences), prepared.behaviors)


def shifted_labels(observations: Observations, strength: float, seed: int = 0) -> Observations:
    """That share of the clicks did not happen."""
    label = observations.column("label").astype(np.int8)
    lost = (label == 1) & (np.random.default_rng(seed).random(len(label)) < strength)
    place = observations.table.schema.get_field_index("label")
    table = observations.table.set_column(
        place, observations.table.schema.field("label"), pa.array(np.where(lost, 0, label), pa.int8())
    )
    return replace(observations, table=table)
