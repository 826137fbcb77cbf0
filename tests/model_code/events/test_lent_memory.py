import numpy as np
import pyarrow as pa

from model_code.events.lent_memory import LentMemory


def test_memory_is_used_again_once_nothing_refers_to_it():
    memory = LentMemory()
    first = memory.lend(80)
    place = first.ctypes.data
    numbers = first.view(np.int64)[2:4]
    numbers[:] = [3, 4]
    column = pa.array(numbers)  # no copy
    del first, numbers
    other = memory.lend(80)
    other[:] = 0
    assert column.to_pylist() == [3, 4]
    del column
    assert memory.lend(40).ctypes.data == place


def test_memory_that_is_too_small_makes_place_for_more():
    memory = LentMemory()
    memory.lend(8)
    assert len(memory.lend(1 << 20)) == 1 << 20
