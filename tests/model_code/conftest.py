"""The example groups are shared with the tests of the layers."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parent / "layers"))


@pytest.fixture
def keep_threads():
    """The number of threads after the test is the one before it."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
