"""Categories that change: each event has the one that was known at its time."""

import random

import pytest

from model_code.events.errors import IngestError
from model_code.events.source import CategoryListSettings, CategoryTableSettings, RowFilter, TimeSettings
from tests.model_code.events.raw_logs import T0, events, run, write

ONLY = RowFilter(column="property", value="category")


def table(path, **more):
    settings = {"only": ONLY, "valid_from": "at"} | more
    return CategoryTableSettings(path=str(path), item_id="item", category_id="value", **settings)


def known_at(rows, item, time):
    """The category of an item at a time, by looking through all rows."""
    past = [(at, value) for at, of, name, value in rows if of == item and name == "category" and at <= time]
    return min((value for at, value in past if at == max(past)[0]), default=None)


@pytest.mark.parametrize("seed", range(4))
def test_the_latest_row_that_is_not_later_counts(tmp_path, seed):
    rng = random.Random(seed)
    rows = [
        (T0 + rng.randrange(40), rng.randrange(12), rng.choice(["category", "price"]), f"c{rng.randrange(9)}")
        for _ in range(150)
    ]
    clicks = sorted({(user, rng.randrange(14), T0 + rng.randrange(-3, 44)) for user in range(400)})
    write(tmp_path / "log.csv", "u,i,t", *(f"{u},{i},{t}" for u, i, t in clicks))
    contents = set()
    for threads in (1, 3):
        rng.shuffle(rows)
        write(tmp_path / "table.csv", "at,item,property,value", *(",".join(map(str, row)) for row in rows))
        log = run(
            tmp_path / "log.csv", tmp_path / "out", threads=threads, categories=table(tmp_path / "*le.csv")
        )
        contents.add(log.events.read_bytes())
    assert len(contents) == 1
    expected = [(u, i, known_at(rows, i, t)) for u, i, t in clicks]
    assert [(row["user_id"], row["item_id"], row["category_id"]) for row in events(log)] == expected
    counts = log.manifest["category_table"]
    places = {}
    for at, item, name, value in rows:
        if name == "category":
            places.setdefault((item, at), set()).add(value)
    assert counts["conflicts"] == sum(len(values) > 1 for values in places.values()) > 0
    assert counts["other_rows"] == sum(name == "price" for _, _, name, _ in rows)
    assert counts["rows"] == 150 and counts["unusable"] == 0
    assert log.manifest["events_without_category"] == sum(category is None for *_, category in expected)


def test_rows_without_a_time_an_item_or_a_category_are_unusable_and_others_are_not(tmp_path):
    write(tmp_path / "log.csv", "u,i,t", f"1,1,{T0}")
    lines = [
        f"{T0},1,category,7",
        f"{T0},1,category,7",  # a duplicate is no conflict
        ",1,category,8",
        "soon,1,category,8",
        f"{T0},,category,8",
        f"{T0},1,category,",
        f"{T0},1,category",
        f",,price,{T0}",
        f"{T0},1,,8",
        f'{T0},1,description,"8, and more"',
    ]
    write(tmp_path / "table.csv", "at,item,property,value", *lines, end="\r\n")
    log = run(tmp_path / "log.csv", tmp_path / "out", categories=table(tmp_path / "table.csv"))
    assert [row["category_id"] for row in events(log)] == [7]
    assert log.manifest["category_table"] == {
        "rows": 10,
        "other_rows": 3,
        "unusable": 5,
        "items": 1,
        "conflicts": 0,
        "unlisted": None,
    }


def test_times_of_table_and_log_may_be_written_differently(tmp_path):
    write(tmp_path / "log.csv", "u,i,t", "1,1,2017-11-25 08:00:00", "1,1,2017-11-25 09:00:00")
    write(tmp_path / "table.csv", "at,item,value", f"{T0 * 1000 + 1},1,a", f"{(T0 + 3600) * 1000},1,b")
    categories = table(tmp_path / "table.csv", only=None, time_unit="ms")
    log = run(tmp_path / "log.csv", tmp_path / "out", categories=categories, time=TimeSettings(unit="iso"))
    assert [row["category_id"] for row in events(log)] == ["b", "b"]  # as UTC
    in_beijing = TimeSettings(unit="iso", zone="Asia/Shanghai")
    write(tmp_path / "log.csv", "u,i,t", "1,1,2017-11-25 00:00:00", "1,1,2017-11-25 01:00:00")
    log = run(tmp_path / "log.csv", tmp_path / "out", categories=categories, time=in_beijing)
    assert [row["category_id"] for row in events(log)] == [None, "b"]


def test_categories_that_the_list_lacks_are_counted_and_kept(tmp_path):
    write(tmp_path / "log.csv", "u,i,t", f"1,1,{T0}", f"1,2,{T0}")
    write(tmp_path / "table.csv", "at,item,property,value", f"{T0},1,category,7", f"{T0},2,category,8")
    write(tmp_path / "tree.csv", "category,parent", "7,", "9,7", end="\r\n")
    known = CategoryListSettings(path=str(tmp_path / "tree.csv"), category_id="category")
    log = run(tmp_path / "log.csv", tmp_path / "out", categories=table(tmp_path / "table.csv", known=known))
    assert [row["category_id"] for row in events(log)] == [7, 8]
    assert log.manifest["category_table"]["unlisted"] == 1
    wrong = CategoryListSettings(path=str(tmp_path / "tree.csv"), category_id="id")
    with pytest.raises(IngestError, match=r"'id' is missing .* source\.categories\.known\.category_id"):
        run(tmp_path / "log.csv", tmp_path / "out", categories=table(tmp_path / "table.csv", known=wrong))


@pytest.mark.parametrize(
    ("line", "more", "problem"),
    [
        (
            f"{T0},1,name,7",
            {},
            r"none of its 1 rows with property = 'category' has both an item",
        ),
        (
            f"{T0},1,category,7",
            {"only": RowFilter(column="p", value="x")},
            r"'p' is missing.*categories\.only",
        ),
        (f"{T0},1,category,7", {"valid_from": "when"}, r"'when' is missing.*categories\.valid_from"),
        (f"{T0},1,category,7", {"time_unit": "us"}, r"not a believable one.*categories\.time_unit = 'us'"),
        (f"{T0 + 9},1,category,7", {}, r"no event's item is among its items, at the event's time"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, line, more, problem):
    write(tmp_path / "log.csv", "u,i,t", f"1,1,{T0}")
    write(tmp_path / "table.csv", "at,item,property,value", line)
    with pytest.raises(IngestError, match=problem):
        run(tmp_path / "log.csv", tmp_path / "out", categories=table(tmp_path / "table.csv", **more))
