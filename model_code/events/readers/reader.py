"""What a reader of raw files offers, whatever their format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import ibis

from model_code.events.engines.engine import Engine

Names = tuple[str, ...]


class Column(NamedTuple):
    """A column of a file; ``type`` is empty in formats without types."""

    name: str
    type: str = ""


@dataclass(frozen=True)
class Layout:
    """How the files of a table are laid out.

    Attributes:
        columns: canonical name -> raw name, of the columns wanted.
        names: all raw names in file order; ``None`` where records name their values.
        header_line: whether the first line of each file holds the names and is no record.
    """

    columns: Mapping[str, str]
    names: Names | None
    header_line: bool


@dataclass(frozen=True)
class Scan:
    """Records as the engine sees them; nothing is read before a table is used.

    Attributes:
        records: a row for each line that is text (blank ones included) in file order: ``file`` (full path),
            ``record`` (the raw text; NULL on a blank line), ``broken`` (true if it has not the form of a
            record), and each wanted column by its canonical name, as text.
        rejects: ``None`` if lines that are no text are among ``records``, too. Else to be called once those
            have been read: the lines that are no text (not UTF-8, or longer than 2 MB), as ``file``, ``line``
            (1-based), ``record``.
    """

    records: ibis.Table
    rejects: Callable[[], ibis.Table] | None = None


@dataclass(frozen=True)
class Reader:
    """The functions that know one format.

    Attributes:
        columns: a file's columns in their order; ``None`` if it is empty or each record names its values.
        count: a file's rows, or its lines that are not blank, counted without the engine.
        scan: reads files of one layout.
        headed: whether the first line of a file holds the names, if the settings do not.
    """

    columns: Callable[[Path], tuple[Column, ...] | None]
    count: Callable[[Path], int]
    scan: Callable[[Engine, Sequence[Path], Layout], Scan]
    headed: bool
