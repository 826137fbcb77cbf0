import pytest
import torch


@pytest.fixture
def keep_threads():
    """The number of threads after the test is the one before it."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
