from pathlib import Path

import pytest
import torch

from model_code.bundle import Bundle, write_bundle
from model_code.models.choice import ModelChoice
from model_code.models.table import build
from model_code.sequences.data import SequenceData
from tests.model_code.training import small_log


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("log") / "split"
    small_log.write_small_log(folder)
    return folder / "sequences"


@pytest.fixture(scope="session")
def data(data_folder) -> SequenceData:
    return SequenceData.load(data_folder)


@pytest.fixture(scope="session")
def bundled(data_folder, data, tmp_path_factory):
    """A function that writes a model with fresh weights as a bundle of the small log."""

    def write(name: str, **settings) -> Bundle:
        torch.manual_seed(5)
        choice = ModelChoice(name=name, settings=settings)
        return write_bundle(
            tmp_path_factory.mktemp("bundle") / name,
            name=name,
            settings=choice.typed_settings,
            model=build(name, choice.typed_settings, data.shape),
            shape=data.shape,
            vocabulary=data_folder,
            history=[],
            details={},
        )

    return write
