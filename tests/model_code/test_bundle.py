"""Bundles: what is written comes back, and what was changed is refused."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from model_code.bundle import Bundle, BundleError, extend_bundle, write_bundle
from model_code.groups import Group, LogShape, VocabularySizes
from model_code.models.table import MODELS, build

ROOT = Path(__file__).resolve().parents[2]
ITEMS = [f"item {number}" for number in range(8)]
SHAPE = LogShape(VocabularySizes(10, 4, 3), 5, torch.arange(10))


@pytest.fixture
def vocabulary(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path / "prepared"
    folder.mkdir()
    ids = pa.array(range(2, 10), pa.int32())
    category = pa.array([2, 3] * 4, pa.int32())
    pq.write_table(
        pa.table({"id": ids, "item_id": ITEMS, "category": category, "count": [1] * 8}),
        folder / "items.parquet",
    )
    pq.write_table(
        pa.table({"id": [2, 3], "category_id": ["a", "b"], "count": [4, 4]}), folder / "categories.parquet"
    )
    pq.write_table(pa.table({"id": [2], "user_id": ["u"], "count": [8]}), folder / "users.parquet")
    return folder


def make(name, vocabulary, out):
    torch.manual_seed(3)
    settings = MODELS[name].settings()
    model = build(name, settings, SHAPE).eval()
    details = {"data": {"split_timestamp": 1}}
    bundle = write_bundle(
        out,
        name=name,
        settings=settings,
        model=model,
        shape=SHAPE,
        vocabulary=vocabulary,
        history=[{"epoch": 1}],
        details=details,
    )
    return model, bundle


@pytest.mark.parametrize("name", MODELS)
def test_reloaded_model_gives_the_same_logits(name, vocabulary, tmp_path):
    model, bundle = make(name, vocabulary, tmp_path / "bundle")
    group = Group(
        torch.tensor([[2, 3, 1, 0, 0]]), torch.tensor([[2, 3, 1, 0, 0]]), torch.tensor([3]),
        torch.tensor([[4, 5, 1]]), torch.tensor([[2, 3, 1]]), torch.tensor([2]),
    )  # fmt: skip
    expected = model(group).logits
    torch.testing.assert_close(bundle.load_model()(group).logits, expected, rtol=0, atol=0)
    assert bundle.history == [{"epoch": 1}]


def test_ranks_logged_ids_as_the_model_ranks_their_codes(vocabulary, tmp_path):
    model, bundle = make("din", vocabulary, tmp_path / "bundle")
    history, candidates = [ITEMS[5], "never seen", *ITEMS[:4]], [ITEMS[6], "never seen"]
    group = Group(
        torch.tensor([[1, 2, 3, 4, 5]]), torch.tensor([[1, 2, 3, 2, 3]]), torch.tensor([5]),
        torch.tensor([[8, 1]]), torch.tensor([[2, 1]]), torch.tensor([1]),
    )  # fmt: skip
    expected = model(group).logits[0].sigmoid().detach().numpy()
    np.testing.assert_allclose(bundle.ranker().rank(history, candidates), expected, atol=1e-7)
    with pytest.raises(ValueError, match="at least one event"):
        bundle.ranker().rank([], candidates)


def test_loads_in_a_process_without_the_orchestrator(vocabulary, tmp_path):
    _, bundle = make("deminet", vocabulary, tmp_path / "bundle")
    expected = bundle.ranker().rank(ITEMS[:3], ITEMS[3:])
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['zenml', 'dvc', 'ibis', 'duckdb']))\n"
        "import json, pathlib; from model_code.bundle import Bundle\n"
        f"scores = Bundle(pathlib.Path({str(bundle.path)!r})).ranker().rank({ITEMS[:3]!r}, {ITEMS[3:]!r})\n"
        "print(json.dumps(scores.tolist()))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    np.testing.assert_allclose(json.loads(output.stdout), expected, atol=1e-6)


@pytest.mark.parametrize("file", ["model.safetensors", "vocabulary/items.parquet", "history.json"])
def test_changed_truncated_or_missing_file_is_refused_by_name(file, vocabulary, tmp_path):
    _, bundle = make("popularity", vocabulary, tmp_path / "bundle")
    path = bundle.path / file
    whole = path.read_bytes()
    for damaged in (whole[:-1], bytes([whole[0] ^ 1]) + whole[1:]):
        path.write_bytes(damaged)
        with pytest.raises(BundleError, match=f"{path}: differs from its checksum"):
            bundle.load_model()
    path.unlink()
    with pytest.raises(BundleError, match=f"{path}: missing"):
        bundle.load_model()


def test_folder_that_is_no_bundle_is_refused(vocabulary, tmp_path):
    with pytest.raises(BundleError, match="no bundle"):
        Bundle(tmp_path / "nothing").load_model()
    _, bundle = make("popularity", vocabulary, tmp_path / "bundle")
    manifest = bundle.path / "bundle.json"
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(BundleError, match="format 99, but this version reads 1"):
        bundle.load_model()


def test_extended_bundle_holds_the_new_files_under_checksum(vocabulary, tmp_path):
    _, bundle = make("popularity", vocabulary, tmp_path / "bundle")
    extended = extend_bundle(
        bundle, tmp_path / "extended", {"MODEL_CARD.md": "# Card\n"}, {"metrics": {"auc": 0.7}}
    )
    shutil.rmtree(bundle.path)
    extended.load_model()
    assert extended.manifest["metrics"] == {"auc": 0.7}
    (extended.path / "MODEL_CARD.md").write_text("# Forged\n")
    with pytest.raises(BundleError, match="MODEL_CARD"):
        extended.verify()
