from dataclasses import replace

import pytest

from model_code.events.presets import PRESETS, WITH_METADATA
from model_code.events.source import ColumnSettings, SourceSettings, WindowSettings
from model_code.settings import SettingsError, parse

COLUMNS = {"user_id": "u", "item_id": "i", "timestamp": "t"}
CATEGORIES = {"path": "x.csv", "item_id": "i", "category_id": "c"}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"path": ""}, "source.path"),
        ({"format": "csv"}, "source.format"),
        ({"columns": None}, "source.columns"),
        ({"columns": {**COLUMNS, "item_id": "u"}}, "source.columns"),
        ({"time": {"unit": "seconds"}}, "source.time.unit"),
        ({"ids": "int"}, "source.ids"),
        ({"behaviors_kept": ["pv"]}, "source.behaviors_kept"),
        (
            {"columns": {**COLUMNS, "behavior": "b"}, "behaviors_kept": ["pv"], "behaviors_known": ["buy"]},
            "source.behaviors_kept",
        ),
        ({"window": {"start": "2017-11-25T00:00:00"}}, "source.window.start"),
        ({"window": {"start": "yesterday"}}, "source.window.start"),
        (
            {"window": {"start": "2017-11-25T00:00:00+00:00", "end": "2017-11-25T00:00:00+08:00"}},
            "source.window.end",
        ),
        (
            {
                "columns": {**COLUMNS, "category_id": "c"},
                "categories": {"path": "x.csv", "item_id": "i", "category_id": "c"},
            },
            "source.columns.category_id",
        ),
        ({"format": "taobao"}, "source.columns"),
        ({"metadata": "items.json"}, "source.metadata"),
        ({"columns": None, "format": "taobao", "metadata": "items.json"}, "source.metadata"),
        ({"columns": None, "format": "retailrocket", "metadata": "items.json"}, "source.metadata"),
        ({"columns": None, "format": "amazon_2014", "metadata": ""}, "source.metadata"),
        ({"columns": None, "format": "amazon_2014", "ids": "auto", "header": ["a"]}, "source.header"),
        ({"categories": {**CATEGORIES, "format": "csv"}}, "source.categories.format"),
        ({"categories": {**CATEGORIES, "time_unit": "ms"}}, "source.categories.time_unit"),
        (
            {"categories": {**CATEGORIES, "valid_from": "at", "time_unit": "day"}},
            "source.categories.time_unit",
        ),
        (
            {"categories": {**CATEGORIES, "format": "json_paths", "valid_from": "at"}},
            "source.categories.valid_from",
        ),
        (
            {
                "categories": {
                    **CATEGORIES,
                    "format": "json_paths",
                    "only": {"column": "p", "value": "x"},
                }
            },
            "source.categories.only",
        ),
        ({"colums": COLUMNS}, "source.colums"),
    ],
)
def test_wrong_settings_are_named(values, named):
    with pytest.raises(SettingsError, match=named):
        parse(SourceSettings, {"path": "log.csv", "columns": COLUMNS, **values}, "source")


def test_the_window_is_read_with_its_offset():
    window = WindowSettings(start="1970-01-01T08:00:01+08:00", end="1970-01-01T00:00:01.500Z")
    assert window.milliseconds() == (1000, 1500)


def test_taobao_needs_its_path_only():
    source = SourceSettings(path="UserBehavior.csv", format="taobao").as_table()
    assert source.header == ("user_id", "item_id", "category_id", "behavior", "timestamp")
    assert source.behaviors_kept == ("pv",)
    assert source.window.milliseconds() == (1511539200000, 1512316800000)
    assert source.as_table() == source


@pytest.mark.parametrize("name", PRESETS)
def test_a_published_format_stands_for_settings_that_could_be_written_out(name):
    source = parse(SourceSettings, {"path": "logs/x", "format": name}, "source")
    table = source.as_table()
    assert table.format == "table" and table.as_table() == table
    assert {"user_id", "item_id", "timestamp"} <= set(source.table_columns)
    assert source.paths()["source.path"] == table.path
    assert replace(source, path="y").as_table() != table
    if name in WITH_METADATA:
        assert table.categories is None
        named = replace(source, metadata="items.json")
        assert named.paths() == {"source.path": "logs/x", "source.metadata": "items.json"}
        assert named.as_table().categories.path == "items.json"


def test_retailrocket_is_a_folder():
    assert SourceSettings(path="a[b]/", format="retailrocket").paths() == {
        "source.path": "a[b]/events.csv",
        "source.categories.path": "a[[]b]/item_properties_part*.csv",
        "source.categories.known.path": "a[b]/category_tree.csv",
    }


def test_columns_map_canonical_to_raw_names():
    columns = ColumnSettings(user_id="visitor", item_id="sku", timestamp="at", behavior="event")
    assert columns.mapping() == {
        "user_id": "visitor",
        "item_id": "sku",
        "timestamp": "at",
        "behavior": "event",
    }
