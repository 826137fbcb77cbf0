from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_code.evaluation.keys import majors, minors, pack, ranks

NUMBERS = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)), min_size=1, max_size=30)
FLOATS = st.lists(
    st.floats(width=32, allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 0.5]),
    min_size=1,
    max_size=30,
)


@given(NUMBERS)
def test_sorted_keys_are_the_sorted_pairs(pairs):
    major, minor = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    key = np.sort(pack(major, minor))
    assert list(zip(majors(key).tolist(), minors(key).tolist(), strict=True)) == sorted(pairs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(FLOATS)
def test_ranks_compare_as_the_values_do(dtype, values):
    values = np.array(values, dtype)
    rank = ranks(values)
    for compare in (np.less, np.equal):
        np.testing.assert_array_equal(compare.outer(rank, rank), compare.outer(values, values))
