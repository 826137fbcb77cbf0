import pytest

from model_code.events.errors import IngestError
from model_code.events.source import CategoryTableSettings
from tests.model_code.events.raw_logs import T0, events, run, write


def test_a_category_table_is_joined_and_its_row_order_does_not_matter(tmp_path):
    write(tmp_path / "a.csv", "u,i,t", *(f"1,{item},{T0 + item}" for item in (1, 2, 3)))
    rows = ["1,20,x", "1,10,x", '2,30,"a,b"', "2,30,x", ",5,x", "9,9"]
    contents = []
    for order in (rows, rows[::-1]):
        write(tmp_path / "items.csv", "item,cat,more", *order)
        table = CategoryTableSettings(path=str(tmp_path / "items.csv"), item_id="item", category_id="cat")
        log = run(tmp_path / "a.csv", tmp_path / "out", categories=table)
        contents.append(log.events.read_bytes())
    assert [event["category_id"] for event in events(log)] == [10, 30, None]
    counts = {"rows": 6, "other_rows": 0, "unusable": 2, "items": 2, "conflicts": 1, "unlisted": None}
    assert log.manifest["category_table"] == counts
    assert contents[0] == contents[1]


def with_table(tmp_path, *lines, **more):
    """Ingest two events, of the items 1 and 2, with a table of categories."""
    write(tmp_path / "log.csv", "u,i,t", f"1,1,{T0}", f"1,2,{T0 + 1}")
    if lines:
        write(tmp_path / "items.csv", *lines)
    table = CategoryTableSettings(path=str(tmp_path / "items.csv"), item_id="item", category_id="cat")
    return run(tmp_path / "log.csv", tmp_path / "out", categories=table, **more)


@pytest.mark.parametrize("ids", ["auto", "integer"])
@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ((), r"source\.categories\.path: .*items\.csv does not exist"),
        (("item,cat",), r"source\.categories\.path: .*holds no record"),
        (("id,cat", "1,2"), r"'item' is missing among id, cat; change source\.categories\.item_id$"),
        (("item,cat", "1,", ",2"), r"items\.csv: none of its 2 rows has both.*source\.categories\.item_id"),
        (("item,cat", "1.0,10", "2.0,10"), r"items\.csv: no event's item.*source\.categories\.item_id"),
    ],
)
def test_a_table_that_cannot_be_used_names_its_settings(tmp_path, lines, problem, ids):
    with pytest.raises(IngestError, match=problem):
        with_table(tmp_path, *lines, ids=ids)
    assert not (tmp_path / "out").exists()


def test_a_fault_of_the_table_is_not_blamed_on_the_log(tmp_path):
    (tmp_path / "items.csv").write_bytes(b"item,cat\n1,2\r\n2,2\n")
    with pytest.raises(IngestError, match=r"items\.csv cannot be read") as caught:
        with_table(tmp_path)
    assert "log.csv" not in str(caught.value)


def test_categories_that_are_no_integers_are_refused_where_ids_are(tmp_path):
    with pytest.raises(IngestError, match=r"items\.csv: source\.ids is 'integer'"):
        with_table(tmp_path, "item,cat", "1,shoes", ids="integer")


def test_a_path_of_categories_counts_by_its_last_element(tmp_path):
    write(tmp_path / "log.csv", "u,i,t", f"1,1,{T0}", f"1,2,{T0 + 1}")
    lines = ('{"item": 1, "cat": ["shop", "shoes"]}', '{"item": 2, "cat": ["shop"]}', '{"item": 2}')
    write(tmp_path / "items.jsonl", *lines)
    settings = {"item_id": "item", "category_id": "cat", "format": "json_paths"}
    table = CategoryTableSettings(path=str(tmp_path / "items.jsonl"), **settings)
    log = run(tmp_path / "log.csv", tmp_path / "out", categories=table)
    assert [event["category_id"] for event in events(log)] == ["shoes", "shop"]
    assert log.manifest["category_table"]["unusable"] == 1
    table = CategoryTableSettings(path=str(tmp_path / "log.csv"), **settings)
    with pytest.raises(IngestError, match=r"source\.categories\.path: .*holds no log.*\.jsonl, \.json"):
        run(tmp_path / "log.csv", tmp_path / "out", categories=table)
