"""Threads change neither results nor their order, and what fails in one is told."""

import threading

import numpy as np
import pytest
import torch

from model_code.threads import in_threads, pieces


def test_results_come_in_the_order_of_the_items():
    waited = threading.Event()

    def square(number: int) -> int:
        if number == 0:
            waited.wait(timeout=10)  # for a later item, if there is more than one thread
        else:
            waited.set()
        return number**2

    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert in_threads(square, range(5)) == [0, 1, 4, 9, 16]
    finally:
        torch.set_num_threads(threads)


def test_a_failure_is_raised():
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda number: 1 // number, [1, 0, 2])


@pytest.mark.parametrize(("count", "size"), [(0, 3), (1, 3), (3, 3), (7, 3)])
def test_pieces_cover_each_number_once(count, size):
    numbers = np.arange(count)
    found = [numbers[piece].tolist() for piece in pieces(count, size)]
    assert [number for piece in found for number in piece] == numbers.tolist()
    assert all(len(piece) == size for piece in found[:-1])
