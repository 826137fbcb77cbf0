"""The small log is shared with the tests of training."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "training"))
sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory) -> Path:
    import small_log

    folder = tmp_path_factory.mktemp("log") / "split"
    small_log.write_small_log(folder)
    return folder / "sequences"
