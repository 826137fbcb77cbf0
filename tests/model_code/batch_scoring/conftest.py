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
    """Users 0 to 24 with 1 to 12 events each, on items 5 to 44, at times that often are the same.

    Of the categories 3 is unknown to the model; some events have none.
    """
    random = torch.Generator().manual_seed(5)
    rows = set()
    for user in range(25):
        for _ in range(1 + user % 12):
            item, time, category = (
                int(torch.randint(*limits, (1,), generator=random)) for limits in ((5, 45), (0, 9), (-1, 4))
            )
            rows |= {(user, time * 1000, item, category), (user, time * 1000, item, (category + user) % 4)}
    user, time, item, category = zip(*sorted(rows), strict=True)
    kind = "VARCHAR" if text else "BIGINT"
    named = {"user_id": user, "item_id": item}
    if text:
        named = {name: [f"n{value:03}" for value in values] for name, values in named.items()}
    folder.mkdir()
    category = [None if one < 0 else one for one in category]
    table = pa.table({**named, "category_id": category, "timestamp": time})
    pq.write_table(table.take(torch.randperm(len(user), generator=random).numpy()), folder / "events.parquet")
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
        return [row["item_id"] for row in self._rows(as_of) if row["user_id"] == user]

    def _rows(self, as_of):
        """Events by time, item and category: none before all others."""
        rows = [row for row in pq.read_table(self.log.events).to_pylist() if row["timestamp"] < as_of]
        return sorted(
            rows,
            key=lambda row: (
                row["timestamp"], row["item_id"], -1 if row["category_id"] is None else row["category_id"]
            ),
        )  # fmt: skip

    def _category(self, item, as_of):
        """The vocabulary's, else that of the latest event that has one."""
        vocabulary = self.ranker.vocabulary
        for row in vocabulary.items.to_pylist():
            if row["item_id"] == item:
                return vocabulary.categories["category_id"][row["category"] - 2].as_py()
        own = [row for row in self._rows(as_of) if row["item_id"] == item and row["category_id"] is not None]
        return max(((row["timestamp"], row["category_id"]) for row in own), default=(0, None))[1]

    def literal(self, pairs, *, as_of=math.inf, top_n=None, exclude_seen=False, category=None):
        """Rows (user, item, score, rank), user by user, from `Ranker.rank`."""
        rows, logged = [], self._rows(as_of)
        category = category or {item: self._category(item, as_of) for item in {item for _, item in pairs}}
        for user in sorted({user for user, _ in pairs}):
            history = self.events(user, as_of)
            items = sorted({item for other, item in pairs if other == user})
            if exclude_seen:
                items = [item for item in items if item not in history]
            if history and items:
                own = [row["category_id"] for row in logged if row["user_id"] == user]
                scores = self.ranker.rank(history, items, user, own, [category[item] for item in items])
                scores = scores.tolist()
                best = sorted(zip(items, scores, strict=True), key=lambda pair: -pair[1])[:top_n]
                rows += [(user, item, score, rank) for rank, (item, score) in enumerate(best, 1)]
        return rows


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"), "din")


@pytest.fixture(scope="module")
def world_of_texts(tmp_path_factory):
    return World(tmp_path_factory.mktemp("texts"), "deminet", text=True)
