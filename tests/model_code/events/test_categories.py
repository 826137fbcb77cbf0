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
    assert log.manifest["category_table"] == {"rows": 6, "items": 2, "unusable": 2, "conflicts": 1}
    assert contents[0] == contents[1]
