"""Finding a raw log's files."""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from model_code.events.errors import IngestError


@dataclass(frozen=True)
class RawFiles:
    """The files of a log in the order of their names, and the folder that their names are relative to."""

    root: Path
    paths: tuple[Path, ...]
    suffix: str  # without ".gz"

    def name(self, path: Path) -> str:
        """The path relative to the log's folder, with slashes."""
        return path.relative_to(self.root).as_posix()


def find_files(location: str, suffixes: Collection[str], setting: str) -> RawFiles:
    """Find the files of a log.

    Args:
        location: a file, a folder (searched recursively) or a glob; hidden files are left out of both.
        suffixes: the known ones, without ".gz".
        setting: the setting that ``location`` comes from, for messages.

    Raises:
        IngestError: if there is no such file, the files are of several formats, or something is called like a
            file of the log but cannot be read as one.
    """
    try:
        root, paths = _candidates(location)
    except (OSError, ValueError) as error:
        raise IngestError(f"{setting}: {location!r} cannot be looked up: {error}") from None
    known = ", ".join(suffixes)
    found = sorted((path for path in paths if _suffix(path) in suffixes), key=lambda path: path.as_posix())
    for path in found:
        _check_name(path, setting)
    if not found:
        what = "holds no log" if root.exists() else "does not exist"
        raise IngestError(
            f"{setting}: {location} {what}; it should be a file, a folder or a glob of {known} (.gz too)"
        )
    kinds = sorted({_suffix(path) for path in found})
    if len(kinds) > 1:
        raise IngestError(
            f"{setting}: {location} mixes {' and '.join(kinds)} files; give a glob that picks one kind"
        )
    return RawFiles(root, tuple(found), kinds[0])


def _candidates(location: str) -> tuple[Path, list[Path]]:
    # The engine reports names without ".."; `resolve` would follow links to names without a suffix.
    path = Path(os.path.abspath(location))  # noqa: PTH100
    if path.is_dir():
        return path, [found for found in _visible(path, path.rglob("*")) if not _is_folder(found)]
    if path.exists() or not glob.has_magic(location):
        return path.parent if path.exists() else path, [path] if path.exists() else []
    fixed = next(place for place, part in enumerate(path.parts) if glob.has_magic(part))
    root = Path(*path.parts[:fixed])
    matches = _visible(root, root.glob("/".join(path.parts[fixed:])))
    return root, [match for match in matches if not match.is_dir()]


def _visible(root: Path, paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if not _hidden(path.relative_to(root))]


def _is_folder(path: Path) -> bool:
    """Whether what a search came upon is a folder; raises an `OSError` if the search cannot go into it."""
    if not path.is_dir():
        return False
    if path.is_symlink():
        raise OSError(f"{path} is a link to a folder; give a glob that goes through it, as folder/*/*.csv")
    if not os.access(path, os.R_OK | os.X_OK):
        raise OSError(f"{path} may not be read; change its permissions")
    return True


def _check_name(path: Path, setting: str) -> None:
    if not path.is_file():
        raise IngestError(f"{setting}: {path} is no file, but a link to nothing or a device; remove it")
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise IngestError(f"{setting}: the name of {os.fsencode(path)!r} is not UTF-8; rename it") from None


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _suffix(path: Path) -> str:
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix
