"""Published logs in their own formats: the settings of `source` that each format stands for.

Each is what one would write into a configuration. Folders and files are those of the publisher.
"""

from __future__ import annotations

import glob
from collections.abc import Callable
from pathlib import Path
from typing import Any

Preset = Callable[[str, str | None], dict[str, Any]]  # of source.path and source.metadata

REVIEW = {"user_id": "reviewerID", "item_id": "asin", "timestamp": "unixReviewTime"}  # before 2023


def taobao(path: str, _: str | None) -> dict[str, Any]:
    """Taobao's UserBehavior.csv: no header; 25 November to 3 December 2017, Beijing time; clicks are "pv"."""
    header = ("user_id", "item_id", "category_id", "behavior", "timestamp")
    return {
        "path": path,
        "header": header,
        "columns": {name: name for name in header},
        "behaviors_known": ("pv", "buy", "cart", "fav"),
        "behaviors_kept": ("pv",),
        "window": {"start": "2017-11-25T00:00:00+08:00", "end": "2017-12-04T00:00:00+08:00"},
    }


def retailrocket(path: str, _: str | None) -> dict[str, Any]:
    """RetailRocket's folder: an item's category is the latest one written down before the event."""
    folder = Path(path)
    return {
        "path": str(folder / "events.csv"),
        "columns": {
            "user_id": "visitorid",
            "item_id": "itemid",
            "behavior": "event",
            "timestamp": "timestamp",
        },
        "time": {"unit": "ms"},
        "categories": {
            "path": str(Path(glob.escape(path)) / "item_properties_part*.csv"),
            "item_id": "itemid",
            "category_id": "value",
            "only": {"column": "property", "value": "categoryid"},
            "valid_from": "timestamp",
            "time_unit": "ms",
            "known": {"path": str(folder / "category_tree.csv"), "category_id": "categoryid"},
        },
        "behaviors_known": ("view", "addtocart", "transaction"),
        "behaviors_kept": ("view", "addtocart"),
    }


def amazon_2014(path: str, metadata: str | None) -> dict[str, Any]:
    """Reviews of 2014 as JSON lines; lines of the metadata are Python literals."""
    return _amazon(path, metadata, "literal_paths", "categories", "2014-08")


def amazon_2014_ratings(path: str, metadata: str | None) -> dict[str, Any]:
    """Ratings of 2014, a CSV file without a header: user, item, rating, time."""
    header = ("reviewerID", "asin", "overall", "unixReviewTime")
    return amazon_2014(path, metadata) | {"header": header}


def amazon_2018(path: str, metadata: str | None) -> dict[str, Any]:
    """Reviews of 2018 and their metadata as JSON lines."""
    return _amazon(path, metadata, "json_paths", "category", "2018-11")


def amazon_2018_ratings(path: str, metadata: str | None) -> dict[str, Any]:
    """Ratings of 2018, a CSV file without a header; here the item comes first."""
    header = ("asin", "reviewerID", "overall", "unixReviewTime")
    return amazon_2018(path, metadata) | {"header": header}


def amazon_2023(path: str, metadata: str | None) -> dict[str, Any]:
    """Reviews of 2023 as JSON lines, or ratings as CSV with a header: the same names, in milliseconds."""
    columns = {"user_id": "user_id", "item_id": "parent_asin", "timestamp": "timestamp"}
    values = _amazon(path, metadata, "json_paths", "categories", "2023-10", columns)
    return values | {"time": {"unit": "ms"}}


def _amazon(
    path: str,
    metadata: str | None,
    lines: str,
    category: str,
    end: str,
    columns: dict[str, str] = REVIEW,
) -> dict[str, Any]:
    """Reviews since May 1996, up to the month ``end``; ``lines`` is the format of the metadata."""
    categories = {
        "path": metadata,
        "format": lines,
        "item_id": columns["item_id"],
        "category_id": category,
    }
    return {
        "path": path,
        "columns": columns,
        "categories": categories if metadata else None,
        "window": {"start": "1996-05-01T00:00:00+00:00", "end": f"{end}-01T00:00:00+00:00"},
        "ids": "string",  # some are all digits, with leading zeros
    }


PRESETS: dict[str, Preset] = {
    "taobao": taobao,
    "retailrocket": retailrocket,
    "amazon_2014": amazon_2014,
    "amazon_2014_ratings": amazon_2014_ratings,
    "amazon_2018": amazon_2018,
    "amazon_2018_ratings": amazon_2018_ratings,
    "amazon_2023": amazon_2023,
}
WITH_METADATA = tuple(name for name in PRESETS if name.startswith("amazon"))
