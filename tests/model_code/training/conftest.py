from pathlib import Path

import pytest
import small_log
import torch


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("log") / "split"
    small_log.write_small_log(folder)
    return folder / "sequences"


@pytest.fixture(autouse=True)
def keep_torch_threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
