"""What a bundle's manifest has to hold, so that the bundle can be opened."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from model_code.groups import VocabularySizes

FORMAT = 1
FIELDS = {"model": str, "settings": dict, "sizes": dict, "max_length": int, "checksums": dict}


def manifest_fault(manifest: Any, needed: Iterable[str]) -> str | None:
    """Tell what is wrong with a manifest, and what to do; ``None`` where nothing is.

    Args:
        manifest: as read from JSON.
        needed: names of the files that every bundle has.
    """
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if found != FORMAT:
        return f"format {found!r}, but this version reads {FORMAT}"
    wrong = [name for name, kind in FIELDS.items() if not isinstance(manifest.get(name), kind)]
    if not wrong and not _are_sizes(manifest["sizes"]):
        wrong = ["sizes"]
    if wrong:
        return f"{wrong[0]} is missing or of another type; copy the bundle again"
    if unlisted := set(needed) - set(manifest["checksums"]):
        return f"has no checksum of {min(unlisted)}; copy the bundle again"
    return None


def _are_sizes(sizes: dict[str, Any]) -> bool:
    return set(sizes) == set(VocabularySizes._fields) and all(isinstance(n, int) for n in sizes.values())
