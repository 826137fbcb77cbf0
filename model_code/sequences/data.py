"""A prepared log as flat arrays, memory-mapped from a folder of .npy files."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from mmap import mmap
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_code.events.split import PARTS
from model_code.files import Folder, read_json
from model_code.groups import LogShape, VocabularySizes
from model_code.sequences.settings import SequenceSettings

EVENT_ARRAYS = ("item", "category", "timestamp", "user_offsets", "user", "item_count")
MANIFEST = "manifest.json"

Indices = NDArray[np.signedinteger[Any]]  # of events: int32 where it can hold all of a log, else int64


@dataclass(frozen=True, eq=False)
class Samples:
    """The m targets of one part, in time order: (timestamp, user row, item).

    A target is an event with at least one strictly earlier event of its user. Validation and test hold
    the groups that could be filled with negatives; fit holds every target.
    """

    position: Indices  # (m,) index of the target's event
    user: NDArray[np.int32]  # (m,) row of its user
    history_start: Indices  # (m,) first event of the history
    history_end: Indices  # (m,) one past its last event
    block_offsets: NDArray[np.int64]  # (blocks + 1,) block b is samples [b] to [b + 1]
    negatives: Indices | None = None  # (m, k) event indices; None where drawn anew each epoch

    def __len__(self) -> int:
        return len(self.position)

    def candidates(self, groups: slice | NDArray[np.int64]) -> Indices:
        """Event indices of some groups' candidates, (B, C), the positive first.

        Raises:
            ValueError: when the part's negatives are not stored.
        """
        if self.negatives is None:
            raise ValueError("the negatives of this part are drawn anew in each epoch, and are not stored")
        return np.concatenate([self.position[groups, None], self.negatives[groups]], axis=1)

    @classmethod
    def create(cls, folder: Path, index: type[np.generic], block_offsets: NDArray[np.int64]) -> Samples:
        """Make the files of so many samples in a new folder, to be filled: `save` need not copy them."""
        folder.mkdir()
        types = {"position": index, "user": np.int32, "history_start": index, "history_end": index}
        arrays = {name: new_array(folder, name, kind, int(block_offsets[-1])) for name, kind in types.items()}
        return cls(**arrays, block_offsets=block_offsets)

    def save(self, folder: Path) -> None:
        """Write each array to ``folder`` under its own name, but for those that were made there."""
        folder.mkdir(exist_ok=True)
        for name, array in self._arrays().items():
            path = folder / f"{name}.npy"
            if not _is_file(array, path):
                path.unlink(missing_ok=True)  # it may be mapped, and is not to change under who reads it
                np.save(path, array)

    @classmethod
    def load(cls, folder: Path, mmap: bool = True) -> Samples:
        """Read what `save` wrote."""
        names = [field.name for field in fields(cls) if (folder / f"{field.name}.npy").exists()]
        return cls(**{name: load_array(folder, name, mmap) for name in names})

    def _arrays(self) -> dict[str, NDArray[Any]]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: array for name, array in values.items() if array is not None}


@dataclass(frozen=True, eq=False)
class SequenceData:
    """A log's n events, sorted by (user, timestamp, item), and the samples of its three parts.

    ``item`` and ``category`` are *identity* codes: 2 to size - 1 are vocabulary ids, codes from size on
    tell apart what the fit part does not hold. So repeats and negatives are exact, and a model sees
    ``where(code < size, code, UNKNOWN)``. An event without category has the code UNKNOWN.
    """

    item: NDArray[np.int32]  # (n,)
    category: NDArray[np.int32]  # (n,)
    timestamp: NDArray[np.int64]  # (n,) ms since the epoch, UTC
    user_offsets: NDArray[np.int64]  # (users + 1,) user row u has events [u] to [u + 1]
    user: NDArray[np.int32]  # (users,) vocabulary id of each user row
    item_count: NDArray[np.int64]  # (sizes.items,) events in the fit part, 0 for ids 0 and 1
    parts: dict[str, Samples]
    sizes: VocabularySizes
    settings: SequenceSettings
    manifest: dict[str, Any]

    @classmethod
    def load(cls, path: Path, mmap: bool = True) -> SequenceData:
        """Open the folder that `build` wrote; with ``mmap`` pages are read when touched."""
        manifest = read_json(path / MANIFEST)
        return cls(
            **{name: load_array(path, name, mmap) for name in EVENT_ARRAYS},
            parts={part: Samples.load(path / part, mmap) for part in PARTS},
            sizes=VocabularySizes(**manifest["sizes"]),
            settings=SequenceSettings(**manifest["settings"]),
            manifest=manifest,
        )

    @property
    def identities(self) -> int:
        """One more than the largest item code that may occur."""
        return int(self.manifest["identities"]["items"])

    @property
    def shape(self) -> LogShape:
        """What a model must know of this log to be built."""
        return LogShape(self.sizes, self.settings.max_length, torch.tensor(self.item_count))

    def events_in(self, part: str) -> NDArray[np.bool_]:
        """Return (n,) whether an event, target or not, is in the part's period."""
        first, end = period(self.manifest, part)
        return (self.timestamp >= first) & (self.timestamp < end)


class SequenceFolder(Folder):
    """A handle to the folder of a prepared log."""

    def load(self) -> SequenceData:
        """Open it, memory-mapped."""
        return SequenceData.load(self.path)


def period(manifest: dict[str, Any], part: str) -> tuple[int, int]:
    """Return the half-open range of timestamps of a part, from the manifest's two cuts."""
    edges = [-(2**63), manifest["validation_timestamp"], manifest["split_timestamp"], 2**63 - 1]
    index = PARTS.index(part)
    return edges[index], edges[index + 1]


def index_type(count: int) -> type[np.signedinteger[Any]]:
    """Return the type of event indices in a log of ``count`` events."""
    return np.int32 if count < 2**31 else np.int64


def _is_file(array: NDArray[Any], path: Path) -> bool:
    """Whether a whole array, not a part of one, is mapped from a file."""
    if not (isinstance(array, np.memmap) and isinstance(array.base, mmap)):
        return False
    return Path(str(array.filename)).resolve() == path.resolve()


def take(values: Tensor, index: Tensor) -> Tensor:
    """Return ``values[index]`` of a vector, for indices of any shape: on a CPU, several times faster."""
    return values.index_select(0, index.reshape(-1)).view(index.shape)


def new_array(folder: Path, name: str, dtype: type[np.generic], *shape: int) -> NDArray[Any]:
    """Make ``name``.npy, and take its room: else a full disk would end the process, without a word."""
    path = folder / f"{name}.npy"
    array: NDArray[Any] = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def load_array(folder: Path, name: str, mmap: bool = True) -> NDArray[Any]:
    """Load ``name``.npy.

    The map is private (copy on write): torch takes only writable arrays without a copy and a warning.
    """
    array: NDArray[Any] = np.load(folder / f"{name}.npy", mmap_mode="c" if mmap else None)
    return array
