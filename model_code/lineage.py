"""Versions of data and code that something was made of, as text by name; `steps.lineage` finds them."""

from __future__ import annotations

from collections.abc import Mapping

PINNED = "data.dvc md5"


def data_version(lineage: Mapping[str, str]) -> str:
    """What DVC calls the raw data where it pins them, else the hash of their files; empty if unknown."""
    return lineage.get(PINNED) or lineage.get("raw files", "")
