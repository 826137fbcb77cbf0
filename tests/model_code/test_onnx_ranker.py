"""The ranker on onnxruntime gives what the one on PyTorch gives, and refuses what it refuses."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from examples import randomise

from benchmarks.fresh_bundle import with_onnx
from model_code import bundle as bundles
from model_code.bundle import ONNX, BundleError, extend_bundle, write_bundle
from model_code.groups import LogShape, VocabularySizes
from model_code.models.table import MODELS, build
from model_code.onnx_ranker import OnnxRanker

ROOT = Path(__file__).resolve().parents[2]
ITEMS = [f"item {number}" for number in range(8)]
LENGTH = 5


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranker")
    category = pa.array([2, 3] * 4, pa.int32())
    pq.write_table(pa.table({"item_id": ITEMS, "category": category}), folder / "items.parquet")
    pq.write_table(pa.table({"category_id": ["a", "b"]}), folder / "categories.parquet")
    pq.write_table(pa.table({"user_id": ["u", "v"]}), folder / "users.parquet")
    shape = LogShape(VocabularySizes(10, 4, 4), LENGTH, torch.arange(10))
    settings = MODELS["comirec_sa"].defaults(user_embedding=True)
    return write_bundle(
        folder / "bundle",
        name="comirec_sa",
        settings=settings,
        model=randomise(build("comirec_sa", settings, shape)).float(),
        shape=shape,
        vocabulary=folder,
        history=[],
        details={},
    )


@pytest.fixture(scope="module")
def shipped(plain, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shipped")
    return with_onnx(plain, folder)


@pytest.mark.parametrize("user", [None, "u", "v", "never seen"])
@pytest.mark.parametrize("history", [ITEMS[:1], ITEMS[2:5], ITEMS, ["never seen", ITEMS[0], None]])
@pytest.mark.parametrize("candidates", [ITEMS[:1], [*ITEMS, "never seen"] * 30])
def test_ranks_as_pytorch_does(shipped, history, candidates, user):
    expected = shipped.ranker().rank(history, candidates, user)
    found = OnnxRanker(shipped, threads=1).rank(history, candidates, user)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_refuses_what_the_other_ranker_refuses(shipped):
    ranker = OnnxRanker(shipped)
    for history, candidates in (([], ITEMS), (ITEMS, [])):
        with pytest.raises(ValueError, match="at least one event"):
            ranker.rank(history, candidates)
    with pytest.raises(TypeError, match="item ids of this log are of type string"):
        ranker.rank([1.5], ITEMS)


def test_no_model_of_pytorch_is_built(shipped, monkeypatch):
    monkeypatch.setattr(bundles, "build", None)
    assert len(OnnxRanker(shipped).rank(ITEMS, ITEMS)) == len(ITEMS)


def test_bundle_without_onnx_is_refused(plain):
    with pytest.raises(BundleError, match=r"onnx/model.onnx: missing; only registered bundles"):
        OnnxRanker(plain)


def test_changed_truncated_or_missing_onnx_is_refused(shipped, tmp_path):
    copy = extend_bundle(shipped, tmp_path / "copy", {}, {})
    path = copy.path / ONNX / "model.onnx"
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), b""):
        path.write_bytes(damaged)
        for load in (OnnxRanker, type(copy).ranker):
            with pytest.raises(BundleError, match=f"{path}: differs from its checksum"):
                load(copy)
    path.unlink()
    with pytest.raises(BundleError, match=f"{path}: missing"):
        OnnxRanker(copy)


def test_onnx_that_is_none_is_refused(plain, tmp_path):
    (tmp_path / ONNX).mkdir()
    (tmp_path / ONNX / "model.onnx").write_bytes(b"no model")
    bundle = extend_bundle(plain, tmp_path / "bundle", {ONNX: (tmp_path / ONNX).rename}, {})
    with pytest.raises(BundleError, match=r"onnx/model.onnx: no ONNX model that onnxruntime reads"):
        OnnxRanker(bundle)


def test_bundles_load_where_onnx_is_not_installed(plain):
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['onnx', 'onnx_ir', 'onnxscript', 'onnxruntime']))\n"
        "import pathlib; from model_code.bundle import Bundle\n"
        f"Bundle(pathlib.Path({str(plain.path)!r})).ranker().rank({ITEMS!r}, {ITEMS!r})"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
