from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from model_code.groups import UNKNOWN
from model_code.sequences.codes import FIRST_ID, SPARSE, Codes

FAR = 2**63 - 1


def codes(ids: list[int] | list[str]) -> Codes:
    count = np.ones(len(ids), dtype=np.int64)
    return Codes(pa.array(ids), count, count)


@pytest.mark.parametrize(
    ("ids", "dense"),
    [
        ([7, -3, 4], True),
        ([5], True),
        ([0, 3 * SPARSE - 1, 1], True),
        ([0, 3 * SPARSE, 1], False),
        ([-FAR - 1, FAR], False),
        ([FAR, FAR - 1], True),
        ([-FAR - 1, -FAR], True),
        (["b", "", "a"], False),
    ],
)
def test_ids_have_their_row_plus_two_and_all_else_is_unknown(ids: list, dense: bool) -> None:
    known = codes(ids)
    others = ["c", "aa"] if isinstance(ids[0], str) else [FAR - 5, -FAR + 5, 2, -4, 8]
    values = [ids[-1], None, *others, *ids, None]
    expected = [UNKNOWN if value not in ids else FIRST_ID + ids.index(value) for value in values]
    found = known.encode(pa.array(values, type=known.ids.type))
    assert found.tolist() == expected
    assert found.dtype == np.int32
    assert (known._table is not None) == dense


def test_a_column_without_an_id_is_unknown_throughout() -> None:
    assert codes([]).encode(pa.nulls(3)).tolist() == [UNKNOWN] * 3
