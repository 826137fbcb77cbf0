"""The shapes that are measured: the base, and the axes along which it grows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple

CATEGORIES = 1000
GATHERED = 8192  # groups that training draws and gathers at once


@dataclass(frozen=True)
class Shape:
    """What one step works on.

    Attributes:
        history: longest history; lengths are uniform from 1 to it.
        candidates: in a group, the positive and its negatives.
        batch: samples a step, rounded to whole groups.
        items: in the vocabulary.
        interests: K; read by DemiNet alone.
        zipf: an item's frequency falls with this power of its rank; 0 draws items uniformly.
    """

    history: int = 50
    candidates: int = 10
    batch: int = 256
    items: int = 100_000
    interests: int = 4
    zipf: float = 1.0

    @property
    def groups(self) -> int:
        """Groups in a batch, as training rounds it."""
        return max(1, round(self.batch / self.candidates))

    def __str__(self) -> str:
        """What differs from the base."""
        base = asdict(Shape())
        changed = [f"{name} {value}" for name, value in asdict(self).items() if value != base[name]]
        return ", ".join(changed) or "base shape"


class Axis(NamedTuple):
    """One field of a shape and the values it takes while the others stay."""

    title: str
    field: str
    values: tuple[int, ...]
    models: tuple[str, ...] | None = None  # None: all


AXES = (
    Axis("history length", "history", (10, 20, 50, 100)),
    Axis("candidates a group", "candidates", (2, 10, 50, 100)),
    Axis("samples a batch", "batch", (64, 256, 1024, 4096)),
    Axis("items in the vocabulary", "items", (100_000, 1_000_000, 4_000_000), ("deminet", "din")),
    Axis("interests K", "interests", (2, 4, 8, 16), ("deminet",)),
)
