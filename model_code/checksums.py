"""Checksums of a bundle's files, and whether it still holds these files, as they were, and no others."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums(folder: Path, apart: str) -> dict[str, str]:
    """Checksums of all files in and below a folder but ``apart``, by name."""
    return {name: checksum(folder / name) for name in _names(folder, apart)}


def fault(folder: Path, expected: Mapping[str, str], apart: str) -> str | None:
    """Tell what is wrong with a folder, and what to do; ``None`` where it holds what it should.

    Names that lead out of the folder, in ``expected`` or by a link, are files that it does not hold.

    Args:
        folder: where the files are.
        expected: what `checksums` returned.
        apart: the file that is not among them.
    """
    names = _names(folder, apart)
    if missing := set(expected) - set(names):
        return f"{folder}/{min(missing)}: missing; copy the bundle again"
    for name in names:
        file = folder / name
        if name not in expected or file.is_symlink():
            return f"{file}: is no part of the bundle; remove it"
        if checksum(file) != expected[name]:
            return f"{file}: differs from its checksum; copy the bundle again"
    return None


def _names(folder: Path, apart: str) -> list[str]:
    """Names of all files, and of links to folders, in order."""
    files = (file for file in folder.rglob("*") if file.is_symlink() or not file.is_dir())
    names = (file.relative_to(folder).as_posix() for file in files)
    return sorted(name for name in names if name != apart)
