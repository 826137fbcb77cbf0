"""The ids of the log behind the codes of a prepared one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from model_code.groups import UNKNOWN
from model_code.sequences.codes import FIRST_ID
from model_code.sequences.data import SequenceFolder
from model_code.sequences.vocabulary import CATEGORIES, ITEMS, UNSEEN, USERS


@dataclass(frozen=True, eq=False)
class LoggedIds:
    """Ids as logged, of everything that a prepared log holds, in the fit part or not.

    Items and categories are indexed by identity code (`model_code.sequences.data.SequenceData`): what is
    unknown to a model has its id here. Codes that stand for nothing are null.
    """

    items: pa.Array  # (item codes,)
    categories: pa.Array  # (category codes,)
    users: pa.Array  # (users,) by user row

    @classmethod
    def load(cls, folder: SequenceFolder) -> LoggedIds:
        """Read the vocabulary of a prepared log, and what its fit part does not hold.

        Raises:
            FileNotFoundError: when the log was prepared without the latter.
        """
        path = folder.path
        if not (path / UNSEEN).is_dir():
            raise FileNotFoundError(
                f"{path / UNSEEN}: is missing, and with it the ids that the fit part does not hold; prepare"
                " the log again"
            )
        return cls(
            items=_by_code(path, ITEMS, "item_id"),
            categories=_by_code(path, CATEGORIES, "category_id"),
            users=_by_code(path, USERS, "user_id").take(pa.array(_user_codes(folder.load().user))),
        )


def _by_code(folder: Path, file: str, key: str) -> pa.Array:
    known, unseen = (
        pq.read_table(path, columns=[key])[key] for path in (folder / file, folder / UNSEEN / file)
    )
    return pa.concat_arrays([pa.nulls(FIRST_ID, known.type), *known.chunks, *unseen.chunks])


def _user_codes(user: NDArray[np.int32]) -> NDArray[np.int64]:
    """Codes that tell all users apart, from those of user rows.

    Rows are in order of the users' ids, and so are the codes of the users that the fit part does not hold.
    """
    unseen = user == UNKNOWN
    codes = user.astype(np.int64)
    codes[unseen] = FIRST_ID + np.count_nonzero(~unseen) + np.arange(np.count_nonzero(unseen))
    return codes
