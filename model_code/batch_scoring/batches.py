"""A plan in batches: some users, and the candidates of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from model_code.batch_scoring.plan import Plan
from model_code.groups import PADDING

_USERS = 256  # in a batch at most: few candidates a user would else bring very many histories into memory


class Batch(NamedTuple):
    """B consecutive users with up to C candidates each, in order of their ids and left-aligned."""

    users: slice  # their numbers
    code: NDArray[np.int32]  # (B, C) the model's item ids
    category: NDArray[np.int32]  # (B, C) the model's category ids
    wanted: NDArray[np.bool_]  # (B, C), false at padding and at what is left out
    seen: int  # candidates left out since the users have them in the log
    ids: pa.ChunkedArray  # item ids as logged: of every wanted cell in order, or of every column
    by_column: bool  # which of the two


def batches(plan: Plan, size: int, *, exclude_seen: bool) -> Iterator[Batch]:
    """Go over all users with a history, in order.

    Args:
        plan: what is to be scored.
        size: most candidates in a batch, padding included; one user's come together though. There are 256
            users in a batch at most.
        exclude_seen: leave out what users have in the log.
    """
    if plan.pairs is None:
        return _of_all(plan, size, exclude_seen)
    return _of_pairs(plan, size, exclude_seen)


def _of_all(plan: Plan, size: int, exclude_seen: bool) -> Iterator[Batch]:
    assert plan.candidates is not None
    code, category = (plan.candidates[name].to_numpy() for name in ("code", "category"))
    ids = plan.candidates["item_id"]
    step = min(_USERS, max(1, size // max(1, len(code))))
    for start in range(0, len(plan.user), step):
        users = slice(start, min(start + step, len(plan.user)))
        wanted = np.ones((users.stop - users.start, len(code)), dtype=bool)
        if exclude_seen:
            assert plan.candidate is not None
            events = slice(plan.offsets[users.start], plan.offsets[users.stop])
            row = np.repeat(np.arange(len(wanted)), np.diff(plan.offsets[users.start : users.stop + 1]))
            column = np.asarray(plan.candidate[events])
            wanted[row[column >= 0], column[column >= 0]] = False
        seen = wanted.size - int(np.count_nonzero(wanted))
        codes, categories = (np.broadcast_to(column, wanted.shape) for column in (code, category))
        yield Batch(users, codes, categories, wanted, seen, ids, by_column=True)


def _of_pairs(plan: Plan, size: int, exclude_seen: bool) -> Iterator[Batch]:
    for table in _whole_users(plan, size):
        first, start = np.unique(table["u"].to_numpy(), return_index=True)
        edges = np.append(start, table.num_rows)
        begin = 0
        while begin < len(first):
            end = _end(edges, begin, size)
            rows = table.slice(edges[begin], edges[end] - edges[begin])
            # Every user with a history has pairs, so that numbers follow each other.
            yield _batch(slice(int(first[begin]), int(first[end - 1]) + 1), rows, exclude_seen)
            begin = end


def _end(edges: NDArray[np.int64], begin: int, size: int) -> int:
    """One past the last user of the batch that starts with user ``begin``."""
    longest = np.maximum.accumulate(np.diff(edges[begin : begin + _USERS + 1]))
    padded = longest * np.arange(1, len(longest) + 1)
    return begin + max(1, int(np.searchsorted(padded, size, side="right")))


def _batch(users: slice, rows: pa.Table, exclude_seen: bool) -> Batch:
    count = np.bincount(rows["u"].to_numpy() - users.start)
    there = np.arange(count.max()) < count[:, None]
    code, category = np.full((2, *there.shape), PADDING, dtype=np.int32)
    code[there], category[there] = rows["code"].to_numpy(), rows["category"].to_numpy()
    wanted = there.copy()
    if exclude_seen:
        wanted[there] = ~rows["seen"].to_numpy()
        rows = rows.filter(pc.invert(rows["seen"]))
    seen = int(np.count_nonzero(there) - np.count_nonzero(wanted))
    return Batch(users, code, category, wanted, seen, rows["item_id"], by_column=False)


def _whole_users(plan: Plan, size: int) -> Iterator[pa.Table]:
    """Pairs in tables of about ``size`` rows, none of which ends within a user."""
    assert plan.pairs is not None
    with pq.ParquetFile(plan.pairs) as file:
        rest: list[pa.Table] = []  # joined once, however many a user fills
        for batch in file.iter_batches(size):
            table = pa.Table.from_batches([batch])
            user = table["u"].to_numpy()
            whole = int(np.searchsorted(user, user[-1]))  # where the last user begins
            if whole > 0:
                yield pa.concat_tables([*rest, table.slice(0, whole)])
                rest = []
            rest.append(table.slice(whole))
        if rest:
            yield pa.concat_tables(rest)
