"""A small log, a bundle whose vocabulary knows a part of it, and what both give pair by pair."""

import math
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from model_code.batch_scoring.run import score_log
from model_code.batch_scoring.settings import BatchScoringSettings
from model_code.bundle import write_bundle
from model_code.events.click_log import ClickLog
from model_code.events.engine import EngineSettings
from model_code.files import write_json
from model_code.groups import LogShape
from model_code.models.table import MODELS, build
from model_code.sequences.vocabulary import Vocabulary

LENGTH = 4
KNOWN_ITEMS, KNOWN_USERS = range(10, 40), range(0, 20)


def write_vocabulary(folder, text):
    def ids(values):
        return [f"n{value:03}" for value in values] if text else list(values)

    folder.mkdir()
    codes = pa.array(range(2, 32), pa.int32())
    category = pa.array([2 + item % 3 for item in KNOWN_ITEMS], pa.int32())
    shuffled = sorted(KNOWN_ITEMS, key=lambda item: item * 7 % 31)
    pq.write_table(
        pa.table({"id": codes, "item_id": ids(shuffled), "category": category}), folder / "items.parquet"
    )
    pq.write_table(pa.table({"id": [2, 3, 4], "category_id": [0, 1, 2]}), folder / "categories.parquet")
    users = pa.table({"id": pa.array(range(2, 22), pa.int32()), "user_id": ids(KNOWN_USERS)})
    pq.write_table(users, folder / "users.parquet")
    return folder


def write_log(folder, text):
    """Users 0 to 24 with 1 to 12 events each, on items 5 to 44, at times that often are the same."""
    random = torch.Generator().manual_seed(5)
    rows = set()
    for user in range(25):
        for _ in range(1 + user % 12):
            item, time = (
                torch.randint(5, 45, (1,), generator=random),
                torch.randint(9, (1,), generator=random),
            )
            rows.add((user, int(time) * 1000, int(item)))
    user, time, item = zip(*sorted(rows), strict=True)
    kind = "VARCHAR" if text else "BIGINT"
    named = {"user_id": user, "item_id": item}
    if text:
        named = {name: [f"n{value:03}" for value in values] for name, values in named.items()}
    folder.mkdir()
    table = pa.table({**named, "category_id": pa.nulls(len(user), pa.int64()), "timestamp": time})
    pq.write_table(table, folder / "events.parquet")
    id_types = {"user_id": kind, "item_id": kind, "category_id": "BIGINT"}
    write_json(folder / "manifest.json", {"id_types": id_types, "time": {"first": 0, "last": max(time)}})
    return ClickLog(folder)


class World:
    def __init__(self, folder, name, text=False):
        self.folder, self.log = folder, write_log(folder / "log", text)
        vocabulary = write_vocabulary(folder / "vocabulary", text)
        shape = LogShape(Vocabulary.load(vocabulary).sizes, LENGTH, torch.ones(32, dtype=torch.int64))
        torch.manual_seed(0)
        settings = replace(MODELS[name].defaults(), user_embedding=True, embedding_scale=1.0)
        self.bundle = write_bundle(
            folder / "bundle",
            name=name,
            settings=settings,
            model=build(name, settings, shape),
            shape=shape,
            vocabulary=vocabulary,
            history=[],
            details={},
        )
        self.ranker = self.bundle.ranker()

    def file(self, name, **columns):
        pq.write_table(pa.table(columns), self.folder / name)
        return str(self.folder / name)

    def score(self, out="scores", **settings):
        return score_log(
            self.log,
            self.bundle,
            BatchScoringSettings(**settings),
            EngineSettings(threads=1),
            self.folder / out,
        )

    def events(self, user, as_of=math.inf):
        table = pq.read_table(self.log.events).to_pylist()
        return [row["item_id"] for row in table if row["user_id"] == user and row["timestamp"] < as_of]

    def literal(self, pairs, *, as_of=math.inf, top_n=None, exclude_seen=False):
        """Rows (user, item, score, rank), user by user, from `Ranker.rank`."""
        rows = []
        for user in sorted({user for user, _ in pairs}):
            history = self.events(user, as_of)
            items = sorted({item for other, item in pairs if other == user})
            if exclude_seen:
                items = [item for item in items if item not in history]
            if history and items:
                scores = self.ranker.rank(history, items, user).tolist()
                best = sorted(zip(items, scores, strict=True), key=lambda pair: -pair[1])[:top_n]
                rows += [(user, item, score, rank) for rank, (item, score) in enumerate(best, 1)]
        return rows


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"), "din")


@pytest.fixture(scope="module")
def world_of_texts(tmp_path_factory):
    return World(tmp_path_factory.mktemp("texts"), "deminet", text=True)
