"""A small prepared log, bundles of it with fresh weights, and servers of them."""

import contextlib

import pytest
import torch
from fastapi.testclient import TestClient

from benchmarks.fresh_bundle import with_onnx
from model_code.bundle import write_bundle
from model_code.models.table import MODELS, build
from model_code.sequences.data import SequenceData
from model_code.serving.app import create_app
from model_code.serving.settings import PredictionLogSettings, ServingSettings
from tests.model_code.training import small_log

# Large embeddings, so that scores without training differ from each other.
CHANGES = {
    "deminet": {"interests": 3, "hidden": (16, 8), "embedding_scale": 2.0, "user_embedding": True},
    "din": {"embedding_scale": 2.0},
}


@pytest.fixture(scope="session")
def split(tmp_path_factory):
    """Folder with the events and, under ``sequences``, the prepared log."""
    folder = tmp_path_factory.mktemp("served") / "split"
    small_log.write_small_log(folder)
    return folder


@pytest.fixture(scope="session")
def bundles(split):
    """By name of the model."""
    data = SequenceData.load(split / "sequences")

    def make(name):
        torch.manual_seed(5)
        settings = MODELS[name].defaults(**CHANGES.get(name, {}))
        return write_bundle(
            split / name,
            name=name,
            settings=settings,
            model=build(name, settings, data.shape),
            shape=data.shape,
            vocabulary=split / "sequences",
            history=[],
            details={},
        )

    return {name: make(name) for name in ("deminet", "din", "wo_ie")}


@pytest.fixture(scope="session")
def exported(bundles, split):
    """The bundle of DIN, which is exported in seconds, with its model as ONNX."""
    return with_onnx(bundles["din"], split / "exported")


@pytest.fixture
def serve(bundles, split, tmp_path):
    """Make a client of a server of a model; with the log's histories, and a prediction log."""
    with contextlib.ExitStack() as stack:

        def make(name="deminet", **changes):
            defaults = {
                "bundle": str(bundles[name].path),
                "histories": str(split / "events.parquet"),
                "prediction_log": PredictionLogSettings(folder=str(tmp_path / "log")),
                "max_candidates": 200,
            }
            return stack.enter_context(TestClient(create_app(ServingSettings(**defaults | changes))))

        yield make


@pytest.fixture
def client(serve):
    return serve()
