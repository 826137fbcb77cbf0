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


def test_what_arrow_and_others_hold_is_not_used_again():
    memory = LentMemory()
    lent = memory.lend(64)
    lent[:] = 7
    held = [pa.py_buffer(lent[8:16]), memoryview(lent[3:9]), lent[:32].view(np.int32).reshape(2, 4)[1]]
    del lent
    while held:
        memory.lend(64)[:] = 0
        for one in held:
            assert set(bytes(one)) == {7}
        held.pop()


def test_memory_that_is_too_small_makes_place_for_more():
    memory = LentMemory()
    memory.lend(8)
    place = memory.lend(1 << 20).ctypes.data
    assert memory.lend(8).ctypes.data == place
