"""Published logs in their own formats, made up in small, and prepared with the shipped configurations."""

import gzip
import json
import random
from pathlib import Path

import pytest
import yaml

from model_code.events.click_log import Balance
from model_code.events.engine import EngineSettings
from model_code.events.ingest import ingest
from model_code.events.source import SourceSettings
from model_code.events.split import SplitSettings, split
from model_code.sequences.build import build
from model_code.sequences.settings import SequenceSettings
from model_code.settings import parse
from tests.model_code.events.raw_logs import events, set_aside, write

CONFIGS = Path(__file__).parents[3] / "configs"
ENGINE = EngineSettings(threads=1)
DAY = 86_400
MAY_2015 = 1_430_622_000  # s
MARCH_2013 = 1_362_096_000  # s


def read(out, **source):
    return ingest(SourceSettings(**{name: str(value) for name, value in source.items()}), ENGINE, out)


def retailrocket(folder, clicks, properties, tree=("1,", "10,1", "11,1"), end="\n"):
    folder.mkdir(exist_ok=True)
    write(folder / "events.csv", "timestamp,visitorid,event,itemid,transactionid", *clicks, end=end)
    for part in (0, 1):
        rows = properties[part::2]
        write(
            folder / f"item_properties_part{part + 1}.csv", "timestamp,itemid,property,value", *rows, end=end
        )
    write(folder / "category_tree.csv", "categoryid,parentid", *tree, end=end)
    return folder


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_retailrocket(tmp_path, end):
    now, week = MAY_2015 * 1000, 7 * DAY * 1000
    clicks = [
        f"{now},1,view,100,",  # before the item's first row
        f"{now + week},1,view,100,",
        f"{now + week},1,addtocart,100,",
        f"{now + week},1,transaction,100,4000",
        f"{now + week},1,view,100,",  # a duplicate
        f"{now + 2 * week},1,view,100,",
        f"{now},2,view,200,",  # has no category
        f"{now},2,wish,100,",
        f"{now},2,view",
    ]
    properties = [
        f"{now + week},100,categoryid,10",
        f"{now + week},100,available,1",
        f'{now},100,888,"552 n6.000, 1320"',
        f"{now + 2 * week},100,categoryid,99",  # not in the tree
        f"{now},200,790,n36000.000",
    ]
    folder = retailrocket(tmp_path / "data [1]", clicks, properties, end=end)
    (folder / "item_properties.notes").write_text("no table")
    log = read(tmp_path / "out", path=folder, format="retailrocket")
    assert [(e["user_id"], e["item_id"], e["category_id"], e["behavior"]) for e in events(log)] == [
        (1, 100, None, "view"),
        (1, 100, 10, "addtocart"),
        (1, 100, 10, "view"),
        (1, 100, 99, "view"),
        (2, 200, None, "view"),
    ]
    assert log.balance == Balance(raw=9, kept=5, quarantined=2, duplicates=1, filtered_behaviors=1)
    assert [row[1:3] for row in set_aside(log)] == [(9, "unknown behavior"), (10, "unparsable row")]
    assert log.manifest["category_table"] == {
        "rows": 5,
        "other_rows": 3,
        "unusable": 0,
        "items": 1,
        "conflicts": 0,
        "unlisted": 1,
    }


REVIEW = {"reviewerID": "A1", "asin": "0001", "unixReviewTime": MARCH_2013, "overall": 5.0, "helpful": [0, 1]}


def test_amazon_2014_reviews_and_metadata(tmp_path):
    reviews = [
        REVIEW | {"reviewText": 'She said "no, no" \\ \n naïve 本', "reviewerName": None},
        REVIEW,  # a duplicate
        REVIEW | {"unixReviewTime": MARCH_2013 + DAY},
        REVIEW | {"asin": "B0002"},
        REVIEW | {"asin": "B0003"},
        REVIEW | {"asin": "B0009"},
        REVIEW | {"unixReviewTime": 1_406_851_200},  # August 2014
    ]
    lines = [json.dumps(review) for review in reviews]
    path = write(tmp_path / "reviews_Books_5.json", *lines, '{"reviewerID": "A1"', end="\r\n")
    items = [
        {"asin": "0001", "title": 'It\'s "x"', "categories": [["Books", 'Children\'s "best"'], ["Other"]]},
        {"asin": "B0002", "description": "naïve 本 \\ \n"},
        {"asin": "B0004", "categories": [["Books", "Ünused"]]},
    ]
    attack = f"{{'asin': 'B0003', 'categories': [[__import__('os').system('touch {tmp_path}/executed')]]}}"
    metadata = "\n".join([*map(repr, items), attack, "{'asin': 'B0003', 'cat", "[" * 10_000])
    (tmp_path / "meta_Books.json.gz").write_bytes(gzip.compress(metadata.encode()))
    log = read(tmp_path / "out", path=path, format="amazon_2014", metadata=tmp_path / "meta_Books.json.gz")
    assert [(e["item_id"], e["category_id"]) for e in events(log)] == [
        ("0001", 'Children\'s "best"'),
        ("B0002", None),
        ("B0003", None),
        ("B0009", None),
        ("0001", 'Children\'s "best"'),
    ]
    assert log.balance == Balance(raw=8, kept=5, quarantined=2, duplicates=1, filtered_behaviors=0)
    assert log.manifest["quarantine_reasons"] == {"unparsable row": 1, "outside window": 1}
    counts = log.manifest["category_table"]
    assert (counts["rows"], counts["items"], counts["unusable"]) == (6, 2, 4)
    assert not (tmp_path / "executed").exists()


def test_amazon_ratings_name_the_user_first_in_2014_and_the_item_in_2018(tmp_path):
    first = write(tmp_path / "ratings_Books.csv", *[f"A1,0001,5.0,{MARCH_2013}"] * 2, "A1,0002,5.0,13620")
    second = write(tmp_path / "Books.csv", f"0001,A1,5.0,{MARCH_2013}")
    logs = [
        read(tmp_path / "a", path=first, format="amazon_2014_ratings"),
        read(tmp_path / "b", path=second, format="amazon_2018_ratings"),
    ]
    row = {"user_id": "A1", "item_id": "0001", "category_id": None, "timestamp": MARCH_2013 * 1000}
    assert [events(log) for log in logs] == [[row]] * 2
    assert logs[0].manifest["quarantine_reasons"] == {"outside window": 1}  # the time was cut


def test_amazon_2018(tmp_path):
    path = write(tmp_path / "Books_5.json", json.dumps(REVIEW), json.dumps(REVIEW | {"asin": "B0002"}))
    lines = [
        '{"asin": "0001", "category": ["Books", "Travel &amp; more"]}',
        '{"asin": "B0002", "category": []}',
    ]
    metadata = write(tmp_path / "meta_Books.json", *lines)
    log = read(tmp_path / "out", path=path, format="amazon_2018", metadata=metadata)
    assert [e["category_id"] for e in events(log)] == ["Travel &amp; more", None]


@pytest.mark.parametrize("name", ["Books.jsonl", "Books.csv"])
def test_amazon_2023(tmp_path, name):
    row = {"rating": 4.0, "parent_asin": "0001", "user_id": "A1", "timestamp": MARCH_2013 * 1000 + 7}
    lines = [json.dumps(row | {"asin": "0001X", "images": [{"small": "x"}]})]
    if name == "Books.csv":
        lines = [",".join(row), ",".join(map(str, row.values()))]
    path = write(tmp_path / name, *lines)
    metadata = write(tmp_path / "meta_Books.jsonl", '{"parent_asin": "0001", "categories": ["Books", "Art"]}')
    log = read(tmp_path / "out", path=path, format="amazon_2023", metadata=metadata)
    expected = {"user_id": "A1", "item_id": "0001", "category_id": "Art", "timestamp": row["timestamp"]}
    assert events(log) == [expected]


def prepare(name, data, out):
    """Ingest, split and build with a shipped configuration, its logs under ``data``."""
    text = (CONFIGS / f"{name}.yaml").read_text().replace("${DEMINET_DATA}", str(data))
    settings = yaml.safe_load(text)["parameters"]
    log = ingest(parse(SourceSettings, settings["source"], "source"), ENGINE, out / "log")
    cut = split(log, parse(SplitSettings, settings.get("split", {}), "split"), ENGINE, out / "split")
    sequences = parse(SequenceSettings, settings["sequences"], "sequences")
    return log, build(cut, sequences, ENGINE, out / "sequences")


def made_up_clicks(users, items, step, each=30):
    """(user, item, seconds since the start) of users who take turns, ``step`` seconds apart."""
    rng = random.Random(0)
    return [
        (user, int(items * rng.random() ** 2), (place * users + user) * step)
        for user in range(users)
        for place in range(each)
    ]


def test_whole_preparation_of_retailrocket(tmp_path):
    clicks = made_up_clicks(40, 60, 600)
    rows = [
        f"{(MAY_2015 + time) * 1000},{user},{'addtocart' if item % 5 == 0 else 'view'},{item},"
        for user, item, time in clicks
    ]
    weeks = [
        f"{(MAY_2015 + week * 3 * DAY) * 1000},{item},categoryid,{(item + week) % 7}"
        for item in range(50)
        for week in range(3)
    ]
    retailrocket(tmp_path / "retailrocket", rows, weeks, [f"{number}," for number in range(7)])
    log, data = prepare("retailrocket", tmp_path, tmp_path / "out")
    assert log.manifest["category_table"]["unlisted"] == 0
    assert data.manifest["events"] == log.balance.kept == len(rows)
    assert 0 < log.manifest["events_without_category"] < len(rows) / 2  # of the items from 50 on
    assert data.sizes.categories == 2 + 7
    check_histories(data, 20)


def test_whole_preparation_of_amazon_books(tmp_path):
    folder = tmp_path / "amazon_books"
    folder.mkdir()
    clicks = made_up_clicks(40, 60, DAY)
    lines = [
        json.dumps({"reviewerID": f"A{user}", "asin": f"{item:010}", "unixReviewTime": MARCH_2013 - time})
        for user, item, time in clicks
    ]
    (folder / "reviews_Books_5.json.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    items = [repr({"asin": f"{item:010}", "categories": [["Books", f"C{item % 7}"]]}) for item in range(50)]
    (folder / "meta_Books.json.gz").write_bytes(gzip.compress("\n".join(items).encode()))
    log, data = prepare("amazon_books", tmp_path, tmp_path / "out")
    assert data.manifest["events"] == log.balance.kept == len(lines)
    assert data.sizes.categories == 2 + 7
    check_histories(data, 20)


def test_whole_preparation_of_taobao(tmp_path):
    (tmp_path / "taobao").mkdir()
    clicks = made_up_clicks(40, 60, 100, each=80)
    start = 1_511_539_200
    rows = [
        f"{user},{item},{item % 7},{('pv', 'cart')[user % 2]},{start + time}" for user, item, time in clicks
    ]
    write(tmp_path / "taobao" / "UserBehavior.csv", *rows, *(row.replace("cart", "pv") for row in rows))
    log, data = prepare("taobao", tmp_path, tmp_path / "out")
    assert data.manifest["events"] == log.balance.kept == len(rows)
    check_histories(data, 50)


def check_histories(data, longest):
    lengths = [(part.history_end - part.history_start).max() for part in data.parts.values()]
    assert max(lengths) == longest
