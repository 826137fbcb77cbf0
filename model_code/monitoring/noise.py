"""What noise does to sums over rows: rows of one user, and negatives of one user's events, come together.

Users are taken to be independent of each other, rows are not. A row belongs to the user that was asked, and a
negative also to the user whose event it was drawn from: a window's negatives all come from its own events, so
that what is popular there is so in both classes. Under random weights w of the users a negative of u drawn
from v has the weight w_u w_v (A. Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1, 2007),
over the mean of w_v, since there are as many negatives as ever. To first order that is w_u + w_v - mean w_v:
so each unit's sum takes in the rows of the user, and how the negatives drawn from it differ from the mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_code.monitoring.observations import Observations

Sums = NDArray[np.float64]
Codes = NDArray[np.int64]  # (n,) the bin of each row, or NOT_COUNTED
NOT_COUNTED = -1


@dataclass(frozen=True)
class NoiseSettings:
    """How noise is measured: ``quantile`` of ``replicates`` distances without drift, drawn by ``seed``."""

    quantile: float
    replicates: int
    seed: int


@dataclass(frozen=True)
class Units:
    """Sums over rows, in K bins, by unit of resampling.

    Attributes:
        sums: (units, K) over the rows of a user, and over the negatives drawn from its events, less as many
            times the mean negative. Together they are the sums over all rows.
        users: units that have rows of their own.
        rows: that were counted.
    """

    sums: Sums
    users: int
    rows: int

    @property
    def total(self) -> Sums:
        """(K,) the sums over all rows."""
        total: Sums = self.sums.sum(axis=0)
        return total

    def resample(self, users: int, replicates: int, rng: np.random.Generator) -> Sums:
        """(replicates, K) sums of samples as of ``users`` users, drawn with replacement."""
        units = len(self.sums)
        drawn = np.zeros((replicates, self.sums.shape[1]))
        if units == 0:
            return drawn
        size = max(round(units * users / self.users), 1)
        for row in drawn:
            weight = np.bincount(rng.integers(units, size=size), minlength=units)
            row[:] = weight.astype(np.float64) @ self.sums
        return np.maximum(drawn, 0, out=drawn)

    def standard_errors(self) -> Sums:
        """(K,) of the sums, those of influences: values that say what a row adds to an estimate's error."""
        centred = self.sums - self.sums.mean(axis=0)
        errors: Sums = np.sqrt((centred**2).sum(axis=0))
        return errors


def sum_by_unit(table: Observations, codes: Codes, bins: int, values: NDArray[Any] | None = None) -> Units:
    """Sum over the rows that are counted.

    Args:
        table: n rows.
        codes: (n,) the bin of each row.
        bins: their number.
        values: (n,) what to sum; ``None`` counts rows.
    """
    counted = codes != NOT_COUNTED
    code = codes[counted]
    value = np.ones(len(code)) if values is None else values[counted].astype(np.float64)
    user = table.column("user")[counted]
    drawn = ~table.missing("source")[counted]
    source = table.table["source"].fill_null(-1).to_numpy()[counted][drawn]
    units, unit = np.unique(np.concatenate([user, source]), return_inverse=True)
    owner, source = unit[: len(user)], unit[len(user) :]
    sums = _sums(owner, code, value, (len(units), bins))
    if len(source):
        of_source = _sums(source, code[drawn], value[drawn], sums.shape)
        negatives = np.bincount(source, minlength=len(units))
        sums += of_source - np.outer(negatives, of_source.sum(axis=0) / len(source))
    return Units(sums=sums, users=len(np.unique(owner)), rows=len(code))


def _sums(unit: Codes, code: Codes, value: Sums, shape: tuple[int, int]) -> Sums:
    flat = np.bincount(unit * shape[1] + code, value, shape[0] * shape[1])
    return flat.astype(np.float64).reshape(shape)


def side_by_side(*parts: Units) -> Units:
    """Sums of the same rows by the same units, next to each other."""
    first = parts[0]
    return Units(np.hstack([part.sums for part in parts]), first.users, first.rows)


def equivalent_users(reference: Units, window: Units) -> int:
    """How many of the reference's users stand for the window's.

    As many as the window has; fewer where a reference user has more rows than a window's, so that the rows
    are never more than the window's: rather too much noise than too little.
    """
    if reference.rows == 0:
        return 1
    rows = window.rows * reference.users / reference.rows
    return max(min(window.users, round(rows)), 1)
