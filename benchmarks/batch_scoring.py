"""Scores a second and peak memory of batch scoring, at several sizes of a made-up log.

    python -m benchmarks.batch_scoring --scores 1000000 10000000 --model din

Each row is measured in a process of its own; its peak memory is the kernel's (Linux), libraries and mapped
files included.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.apart import run_module
from benchmarks.table import number
from model_code.files import write_json

ITEMS, CATEGORIES, MAX_LENGTH = 100_000, 500, 20
EVENTS_PER_USER, CANDIDATES = 30, 100
_USERS = 50_000  # made at once
MEMORY_LIMIT = "512MB"  # of the engine that sorts


def main() -> None:
    """Measure each size and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--scores", type=int, nargs="+", default=[1_000_000, 10_000_000], metavar="N")
    parser.add_argument("--model", default="din", help="name in the table of models")
    parser.add_argument("--pairs", action="store_true", help="as a file of pairs, in place of one of items")
    options = parser.parse_args()
    print("| scores | users | seconds | scores/s | peak MiB |\n|--:|--:|--:|--:|--:|")
    for scores in options.scores:
        payload = {"users": scores // CANDIDATES, "model": options.model, "pairs": options.pairs}
        with TemporaryDirectory(prefix="scoring-") as folder:
            write_inputs(Path(folder), scores // CANDIDATES, pairs=options.pairs)
            found = run_module("benchmarks.batch_scoring_run", payload | {"folder": folder})
        rate = number(found["scores"] / found["seconds"])
        cells = (f"{found['scores']:,}", f"{payload['users']:,}", number(found["seconds"]), rate)
        print(f"| {' | '.join(cells)} | {number(found['peak'])} |", flush=True)


def write_inputs(folder: Path, users: int, *, pairs: bool) -> None:
    """Write a log, a vocabulary and candidates; nothing is to be learnt."""
    log, vocabulary = folder / "log", folder / "vocabulary"
    log.mkdir()
    vocabulary.mkdir()
    write_json(
        log / "manifest.json",
        {
            "id_types": {"user_id": "BIGINT", "item_id": "BIGINT", "category_id": "BIGINT"},
            "time": {"first": 0, "last": EVENTS_PER_USER},
        },
    )
    ids = np.arange(ITEMS)
    category = (2 + ids % CATEGORIES).astype(np.int32)
    for file, key, size in (("items", "item_id", ITEMS), ("categories", "category_id", CATEGORIES)):
        table = {"id": ids[:size] + 2, key: ids[:size], "category": category[:size]}
        pq.write_table(pa.table(table), vocabulary / f"{file}.parquet")
    pq.write_table(pa.table({"id": [2], "user_id": [0]}), vocabulary / "users.parquet")
    pq.write_table(pa.table({"item_id": ids[:CANDIDATES]}), folder / "items.parquet")
    _stream(log / "events.parquet", users, EVENTS_PER_USER, "timestamp")
    if pairs:
        _stream(folder / "pairs.parquet", users, CANDIDATES, "other")


def _stream(path: Path, users: int, each: int, name: str) -> None:
    """Rows of ``user_id``, ``item_id``, its category and a running number, ``each`` of every user."""
    schema = pa.schema([(key, pa.int64()) for key in ("user_id", "item_id", "category_id", name)])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, users, _USERS):
            user = np.arange(start, min(start + _USERS, users)).repeat(each)
            item = np.random.default_rng([each, start]).integers(ITEMS, size=len(user))
            columns = [user, item, item % CATEGORIES, np.arange(len(user)) % each]
            writer.write_table(pa.table(columns, schema=schema))


if __name__ == "__main__":
    main()
