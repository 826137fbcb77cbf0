import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "training"))  # for small_log


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory) -> Path:
    import small_log

    folder = tmp_path_factory.mktemp("log") / "split"
    small_log.write_small_log(folder)
    return folder / "sequences"


@pytest.fixture(autouse=True)
def keep_torch_threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
