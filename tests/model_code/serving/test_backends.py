"""What computes the scores is a setting; all else of an answer stays."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from model_code.bundle import Ranker
from model_code.serving.settings import ServingSettings
from model_code.settings import SettingsError, parse

BODY = {"history": [1, 2], "candidates": [3, 10**9]}


@pytest.fixture
def stand_in(monkeypatch):
    """In the place of the ranker on ONNX Runtime: scores by place, so that they are recognised."""
    opened = []

    class StandIn:
        def __init__(self, bundle, threads):
            opened.append((bundle.path, threads))
            ranker = bundle.ranker()
            self.vocabulary, self.max_length, self.known = ranker.vocabulary, ranker.max_length, ranker.known

        def rank(self, history, candidates, user, history_categories, candidate_categories):
            return np.arange(len(candidates), dtype=np.float32) / 2048

    monkeypatch.setitem(sys.modules, "model_code.onnx_ranker", SimpleNamespace(OnnxRanker=StandIn))
    return opened


def test_the_other_backend_scores_and_pytorch_explains(stand_in, serve, bundles):
    client = serve(backend="onnx", threads=2)
    assert stand_in == [(bundles["deminet"].path, 2)]
    plain = client.post("/rank", json=BODY).json()["candidates"]
    assert [(one["probability"], one["known"]) for one in plain] == [(0.0, True), (1 / 2048, False)]
    explained = client.post("/rank", json=BODY | {"explain": True}).json()["candidates"]
    expected = bundles["deminet"].ranker().explain(BODY["history"], BODY["candidates"])
    np.testing.assert_allclose([one["confidence"] for one in explained], expected.confidence, atol=1e-6)
    health = client.get("/health").json()
    assert (health["backend"], health["explains"]) == ("onnx", True)


def test_pytorch_keeps_no_second_model_that_nobody_asks(stand_in, serve, monkeypatch):
    client = serve("din", backend="onnx")
    assert client.get("/health").json()["explains"] is False
    monkeypatch.setattr(Ranker, "explains", None)  # which is not even asked for
    assert serve(backend="onnx", explanations=False).post("/rank", json=BODY).status_code == 200


def test_there_is_no_other_backend():
    with pytest.raises(
        SettingsError, match=r"serving\.backend = 'tensorrt': Input should be 'torch' or 'onnx'"
    ):
        parse(ServingSettings, {"bundle": "x", "backend": "tensorrt"}, "serving")


def test_scores_that_are_no_numbers_are_an_error_and_no_answer(serve, monkeypatch):
    client = serve("din")
    monkeypatch.setattr(Ranker, "rank", lambda *_: np.array([0.5, np.nan], np.float32))
    assert client.post("/rank", json=BODY).status_code == 500
