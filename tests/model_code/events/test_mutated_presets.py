"""Published logs and category tables, spoiled: what a literal reading gives, or an error with advice."""

import json
import random

import pytest

from model_code.events.engine import EngineSettings
from model_code.events.ingest import ingest
from model_code.events.source import SourceSettings
from tests.model_code.events.mutations import TEXT
from tests.model_code.events.raw_logs import T0, write
from tests.model_code.events.reference_preparation import Refused, categories, ingested
from tests.model_code.events.test_mutated_logs import BATCH, batches, check_ingested, refused


def taobao(rng, folder):
    rows = [f"{rng.randrange(9)},{rng.randrange(30)},{rng.randrange(5)},pv,{T0 + k}" for k in range(80)]
    return {"path": write(folder / "UserBehavior.csv", *rows)}, folder / "UserBehavior.csv", None


def retailrocket(rng, folder):
    rows = [f"{T0 + k}000,{rng.randrange(9)},view,{rng.randrange(20)}," for k in range(80)]
    log = write(folder / "events.csv", "timestamp,visitorid,event,itemid,transactionid", *rows)
    kinds = ("categoryid", "categoryid", "available")
    rows = [
        f"{T0 + rng.randrange(-40, 80)}000,{rng.randrange(20)},{rng.choice(kinds)},{rng.randrange(5)}"
        for _ in range(80)
    ]
    table = write(folder / "item_properties_part1.csv", "timestamp,itemid,property,value", *rows)
    write(folder / "category_tree.csv", "categoryid,parentid", "0,", "1,0", "2,0", "3,1")
    return {"path": folder}, log, table


def _metadata(folder, notation, key="asin"):
    lines = [
        notation({key: f"B{number}", "categories": [["Books", f"é{number % 4}"]], "more": 'it\'s "so"'})
        for number in range(20)
    ]
    return write(folder / "meta.json", *lines)


def _rows(rng, start=1_300_000_000, scale=1):
    return [(f"A{rng.randrange(9)}", f"B{rng.randrange(20)}", (start + k) * scale) for k in range(80)]


def _reviews(rng, folder, table, names, scale=1):
    rows = [json.dumps(dict(zip(names, row, strict=True))) for row in _rows(rng, scale=scale)]
    log = write(folder / "reviews.json", *rows)
    return {"path": log, "metadata": str(table)}, log, table


def _ratings(rng, folder, table, line, *header, scale=1):
    log = write(folder / "ratings.csv", *header, *(line.format(*row) for row in _rows(rng, scale=scale)))
    return {"path": log, "metadata": str(table)}, log, table


def _json(record, name="category"):
    values = dict(record)
    return json.dumps(values | {name: values.pop("categories")[0]})


def amazon_2014(rng, folder):
    return _reviews(rng, folder, _metadata(folder, repr), ("reviewerID", "asin", "unixReviewTime"))


def amazon_2014_ratings(rng, folder):
    return _ratings(rng, folder, _metadata(folder, repr), "{0},{1},5.0,{2}")


def amazon_2018(rng, folder):
    return _reviews(rng, folder, _metadata(folder, _json), ("reviewerID", "asin", "unixReviewTime"))


def amazon_2018_ratings(rng, folder):
    return _ratings(rng, folder, _metadata(folder, _json), "{1},{0},5.0,{2}")


def amazon_2023(rng, folder):
    table = _metadata(folder, lambda record: _json(record, "categories"), "parent_asin")
    if rng.random() < 0.5:
        return _reviews(rng, folder, table, ("user_id", "parent_asin", "timestamp"), scale=1000)
    header = "user_id,parent_asin,rating,timestamp"
    return _ratings(rng, folder, table, "{0},{1},5.0,{2}", header, scale=1000)


PRESETS = (
    taobao,
    retailrocket,
    amazon_2014,
    amazon_2014_ratings,
    amazon_2018,
    amazon_2018_ratings,
    amazon_2023,
)


def read_mutated(seed: int, folder) -> str:
    rng = random.Random(seed)
    preset = PRESETS[seed % len(PRESETS)]
    values, log, table = preset(rng, folder)
    spoiled = rng.choice([log, table or log])
    mutators = rng.sample(TEXT, rng.choice([1, 2]))
    for mutate in mutators:
        spoiled.write_bytes(mutate(rng, spoiled.read_bytes()))
    source = SourceSettings(**values | {"path": str(values["path"])}, format=preset.__name__)
    try:
        return _compare(folder, source, log, table)
    except Exception as error:
        error.add_note(f"seed {seed}: {', '.join(mutate.__name__ for mutate in mutators)} of {spoiled.name}")
        raise


def _compare(folder, source, log, table) -> str:
    plain, expected, why, counts = source.as_table(), None, [], {}
    category_of, choices = None, []
    if table:
        try:
            unit = plain.categories.time_unit or plain.time.unit
            counts, category_of, choices = categories(table, plain.categories, unit)
        except Refused as error:
            why.append(str(error))
    try:
        expected = ingested([log], folder, plain, category_of, choices)
    except Refused as error:
        why.append(str(error))
    without = expected and table and all(event["category_id"] is None for event in expected.events)
    why += ["no event's item is among"] if without else []
    try:
        found = ingest(source, EngineSettings(threads=1), folder / "out")
    except Exception as error:
        refused(error, folder, "|".join(why))
        assert why or expected.unsure, f"should be read: {error}"
        return "refused"
    assert not why, f"should be refused: {why}"
    check_ingested(found, expected)
    if table:
        assert {name: found.manifest["category_table"][name] for name in counts} == counts
    return "ingested"


@pytest.mark.parametrize("first", batches(0, BATCH))
def test_spoiled_published_logs(tmp_path, first):
    run_batch(first, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("first", batches(BATCH, 300))
def test_many_spoiled_published_logs(tmp_path, first):
    run_batch(first, tmp_path)


def run_batch(first: int, tmp_path) -> None:
    for seed in range(first, first + BATCH):
        folder = tmp_path / str(seed)
        folder.mkdir()
        read_mutated(seed, folder)
