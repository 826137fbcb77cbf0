"""Bundles: what is written comes back, and what was changed is refused."""

import hashlib
import json
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from model_code.bundle import Bundle, BundleError, extend_bundle, write_bundle
from model_code.encoding import Lookup
from model_code.groups import Group, LogShape, VocabularySizes
from model_code.models.table import MODELS, build
from model_code.sequences.vocabulary import Vocabulary

ROOT = Path(__file__).resolve().parents[2]
ITEMS = [f"item {number}" for number in range(8)]
SHAPE = LogShape(VocabularySizes(10, 4, 3), 5, torch.arange(10))


@pytest.fixture
def vocabulary(tmp_path):
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
    settings = MODELS[name].defaults()
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


@pytest.mark.parametrize("user", [None, "u"])
def test_categories_that_are_given_count_as_in_training(user, vocabulary, tmp_path):
    model, bundle = make("din", vocabulary, tmp_path / "bundle")
    ranker, items = bundle.ranker(), [ITEMS[0], "never seen"]
    group = Group(
        torch.tensor([[1, 2, 3, 1, 5]]), torch.tensor([[1, 3, 1, 2, 3]]), torch.tensor([5]),
        torch.tensor([[2, 1]]), torch.tensor([[3, 2]]), torch.tensor([1 if user is None else 2]),
    )  # fmt: skip
    expected = model(group).logits[0].sigmoid().detach().numpy()
    history = [ITEMS[5], "other", ITEMS[0], ITEMS[1], "never seen", ITEMS[3]]
    given = ["a", "c", "b", None, "a", "b"]
    np.testing.assert_allclose(ranker.rank(history, items, user, given, ["b", "a"]), expected, atol=1e-7)
    np.testing.assert_array_equal(  # one of both lists may be left out
        ranker.rank(history, items, user, given), ranker.rank(history, items, user, given, ["a", None])
    )
    with pytest.raises(ValueError, match="history_categories has 1 entries for 6 events of history"):
        ranker.rank(history, items, user, ["a"])
    with pytest.raises(ValueError, match="candidate_categories has 3 entries for 2 candidates"):
        ranker.rank(history, items, user, None, ["a"] * 3)
    with pytest.raises(TypeError, match="category ids of this log are of type string"):
        ranker.rank(history, items, user, None, [1, 2])


@pytest.mark.parametrize("name", MODELS)
def test_a_thousand_candidates_in_one_call_score_as_one_at_a_time(name, vocabulary, tmp_path):
    ranker = make(name, vocabulary, tmp_path / "bundle")[1].ranker()
    candidates = [*ITEMS, "never seen", None] * 100
    alone = {item: ranker.rank(ITEMS[:3], [item], user="u")[0] for item in set(candidates)}
    together = ranker.rank(ITEMS[:3], candidates, user="u")
    np.testing.assert_allclose(together, [alone[item] for item in candidates], atol=1e-6)


WITHOUT_EXPERTS = {"comirec_dr", "comirec_sa", "dien", "din", "dmin", "mind", "popularity", "wo_ie"}


@pytest.mark.parametrize("name", MODELS)
def test_explanations_are_the_confidences_of_models_with_interest_experts(name, vocabulary, tmp_path):
    ranker = make(name, vocabulary, tmp_path / "bundle")[1].ranker()
    history, candidates = ITEMS[:3], [*ITEMS, "never seen"]
    assert ranker.explains == (name not in WITHOUT_EXPERTS)
    assert ranker.known(candidates).tolist() == [True] * 8 + [False]
    if not ranker.explains:
        with pytest.raises(TypeError, match="no interest experts"):
            ranker.explain(history, candidates)
        return
    explained = ranker.explain(history, candidates)
    np.testing.assert_allclose(explained.probability, ranker.rank(history, candidates), atol=1e-7)
    assert explained.confidence.shape == (9, ranker.model.settings.interests)
    np.testing.assert_allclose(explained.confidence.sum(1), 1, atol=1e-6)
    assert (explained.confidence >= 0).all()


IDS_ASKED_FOR = [[3, 9, None, 5], np.array([5, 3]), [2**70, 5], [5.0], ["5"], [b"5"], [True]]


@pytest.mark.parametrize("known", [pa.array([5, 3, -1]), pa.array(["5", "3", "x"])], ids=["numbers", "texts"])
@pytest.mark.parametrize("ids", IDS_ASKED_FOR, ids=str)
def test_a_lookup_finds_and_refuses_what_the_vocabulary_does(known, ids):
    vocabulary = Vocabulary(items=pa.table({"item_id": known}), categories=None, users=None)
    lookup = Lookup(vocabulary.items["item_id"], vocabulary.encode_items)
    try:
        expected = vocabulary.encode_items(ids)
    except TypeError as error:
        with pytest.raises(TypeError, match=re.escape(str(error))):
            lookup(ids)
    else:
        np.testing.assert_array_equal(lookup(ids), expected)
        assert lookup(ids).dtype == expected.dtype


def test_ranking_does_not_go_through_the_whole_vocabulary(vocabulary, tmp_path, monkeypatch):
    ranker = make("din", vocabulary, tmp_path / "bundle")[1].ranker()
    asked = (ITEMS[:3], ITEMS, "u", ["a"] * 3, ["b"] * 8)
    expected = ranker.rank(*asked)
    for name in ("encode_items", "encode_categories", "encode_users"):
        monkeypatch.setattr(Vocabulary, name, None)
    np.testing.assert_array_equal(ranker.rank(*asked), expected)


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


def test_file_that_is_not_listed_is_refused(vocabulary, tmp_path):
    _, bundle = make("popularity", vocabulary, tmp_path / "bundle")
    for name in ("model.pt", "vocabulary/more.parquet", "onnx/bundle.json"):
        extra = bundle.path / name
        extra.parent.mkdir(exist_ok=True)
        extra.write_bytes(b"more")
        with pytest.raises(BundleError, match=f"{extra}: is no part of the bundle"):
            bundle.load_model()
        extra.unlink()
    bundle.load_model()


def test_manifest_changed_by_hand_is_refused_by_the_checksum_kept_elsewhere(vocabulary, tmp_path):
    _, bundle = make("popularity", vocabulary, tmp_path / "bundle")
    checksum, manifest = bundle.checksum, json.loads((bundle.path / "bundle.json").read_text())
    bundle.verify(checksum)
    (bundle.path / "bundle.json").write_text(json.dumps(manifest | {"data": "forged"}))
    with pytest.raises(BundleError, match=r"bundle.json: is not the one that was registered"):
        bundle.verify(checksum)


NEEDED = ["model.safetensors", *(f"vocabulary/{name}.parquet" for name in ("items", "categories", "users"))]


@pytest.mark.parametrize("name", NEEDED)
def test_manifest_that_does_not_list_what_every_bundle_has_is_refused(name, vocabulary, tmp_path):
    _, bundle = make("popularity", vocabulary, tmp_path / "bundle")
    manifest = json.loads((bundle.path / "bundle.json").read_text())
    del manifest["checksums"][name]
    (bundle.path / name).unlink()
    (bundle.path / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=f"bundle.json: has no checksum of {name}"):
        bundle.load_model()


@pytest.mark.parametrize("name", ["../secret", "vocabulary/../../secret", "{absolute}"])
def test_names_that_lead_out_of_the_bundle_are_refused(name, vocabulary, tmp_path):
    _, bundle = make("popularity", vocabulary, tmp_path / "bundle")
    (tmp_path / "secret").write_text("secret")
    manifest = json.loads((bundle.path / "bundle.json").read_text())
    name = name.format(absolute=tmp_path / "secret")
    manifest["checksums"][name] = hashlib.sha256(b"secret").hexdigest()
    (bundle.path / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=f"{bundle.path}/{name}: missing"):
        bundle.verify()


@pytest.mark.parametrize("name", ["model.safetensors", "vocabulary"])
def test_links_are_refused_whatever_they_lead_to(name, vocabulary, tmp_path):
    _, bundle = make("popularity", vocabulary, tmp_path / "bundle")
    (bundle.path / name).rename(tmp_path / "elsewhere")
    (bundle.path / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match=r"is no part of the bundle|vocabulary/\w+.parquet: missing"):
        bundle.load_model()


def test_link_to_a_folder_beside_the_files_is_refused(vocabulary, tmp_path):
    _, bundle = make("popularity", vocabulary, tmp_path / "bundle")
    (bundle.path / "more").symlink_to(vocabulary)
    with pytest.raises(BundleError, match=f"{bundle.path}/more: is no part of the bundle"):
        bundle.load_model()


SIZES = {"items": 10, "categories": 4, "users": 3}
MALFORMED = {
    "no object": ([], "format None, but this version reads 1"),
    "no checksums": ({"checksums": None}, "checksums is missing or of another type"),
    "a list of them": ({"checksums": NEEDED}, "checksums is missing or of another type"),
    "checksums that are none": ({"checksums": dict.fromkeys(NEEDED)}, "missing|is no part of|differs from"),
    "no model": ({"model": None}, "model is missing or of another type"),
    "settings": ({"settings": []}, "settings is missing or of another type"),
    "length": ({"max_length": "5"}, "max_length is missing or of another type"),
    "sizes": ({"sizes": {}}, "sizes is missing or of another type"),
    "a size": ({"sizes": SIZES | {"users": None}}, "sizes is missing or of another type"),
    "one more size": ({"sizes": SIZES | {"shops": 3}}, "sizes is missing or of another type"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_manifest_is_refused_with_the_reason(case, vocabulary, tmp_path):
    changes, message = MALFORMED[case]
    _, bundle = make("popularity", vocabulary, tmp_path / "bundle")
    manifest = json.loads((bundle.path / "bundle.json").read_text())
    changed = manifest | changes if isinstance(changes, dict) else changes
    (bundle.path / "bundle.json").write_text(json.dumps(changed))
    with pytest.raises(BundleError, match=message):
        bundle.ranker()


class Bomb:
    """What a pickle can do."""

    def __reduce__(self):
        return Path.write_text, (Path("exploded"), "")


@pytest.mark.parametrize("write", [lambda path: path.write_bytes(pickle.dumps(Bomb())),
                                   lambda path: torch.save(Bomb(), path)])  # fmt: skip
@pytest.mark.parametrize("listed", [False, True], ids=["with the old checksum", "with its own"])
def test_pickle_in_place_of_the_weights_is_refused_unread(write, listed, vocabulary, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, bundle = make("popularity", vocabulary, tmp_path / "bundle")
    write(bundle.path / "model.safetensors")
    if listed:
        manifest = json.loads((bundle.path / "bundle.json").read_text())
        content = (bundle.path / "model.safetensors").read_bytes()
        manifest["checksums"]["model.safetensors"] = hashlib.sha256(content).hexdigest()
        (bundle.path / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=r"model.safetensors: (differs|no weights of 'popularity')"):
        bundle.load_model()
    assert not (tmp_path / "exploded").exists()


def test_weights_of_another_model_and_a_broken_vocabulary_are_refused(vocabulary, tmp_path):
    _, bundle = make("popularity", vocabulary, tmp_path / "bundle")
    _, other = make("din", vocabulary, tmp_path / "other")
    weights = (other.path / "model.safetensors").read_bytes()
    for name, content in (("model.safetensors", weights), ("vocabulary/items.parquet", b"PAR1")):
        (bundle.path / name).write_bytes(content)
        manifest = json.loads((bundle.path / "bundle.json").read_text())
        manifest["checksums"][name] = hashlib.sha256(content).hexdigest()
        (bundle.path / "bundle.json").write_text(json.dumps(manifest))
        with pytest.raises(BundleError, match=r"no weights of 'popularity'|no vocabulary"):
            bundle.ranker()
        make("popularity", vocabulary, bundle.path)


def test_folder_that_is_no_bundle_is_refused(vocabulary, tmp_path):
    with pytest.raises(BundleError, match="no bundle"):
        Bundle(tmp_path / "nothing").load_model()
    _, bundle = make("popularity", vocabulary, tmp_path / "bundle")
    manifest = bundle.path / "bundle.json"
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(BundleError, match="format 99, but this version reads 1"):
        bundle.load_model()


def test_extended_bundle_holds_the_new_files_under_checksum(vocabulary, tmp_path):
    def write_reference(path):
        path.mkdir()
        (path / "rows.bin").write_bytes(b"rows")

    _, bundle = make("popularity", vocabulary, tmp_path / "bundle")
    extended = extend_bundle(
        bundle,
        tmp_path / "extended",
        {"MODEL_CARD.md": "# Card\n", "reference": write_reference},
        {"metrics": {"auc": 0.7}},
    )
    shutil.rmtree(bundle.path)
    extended.load_model()
    assert extended.manifest["metrics"] == {"auc": 0.7}
    (extended.path / "MODEL_CARD.md").write_text("# Forged\n")
    with pytest.raises(BundleError, match="MODEL_CARD"):
        extended.verify()
    (extended.path / "MODEL_CARD.md").write_text("# Card\n")
    extended.verify()
    (extended.path / "reference" / "rows.bin").write_bytes(b"rose")
    with pytest.raises(BundleError, match=r"reference/rows.bin: differs"):
        extended.verify()


def test_damaged_bundle_is_not_extended(vocabulary, tmp_path):
    _, bundle = make("popularity", vocabulary, tmp_path / "bundle")
    (bundle.path / "history.json").write_text("[]")
    with pytest.raises(BundleError, match=r"history.json: differs"):
        extend_bundle(bundle, tmp_path / "extended", {}, {})
    assert not (tmp_path / "extended").exists()
