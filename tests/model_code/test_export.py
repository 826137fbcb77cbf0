"""Every model on onnxruntime gives what it gives on PyTorch."""

from dataclasses import fields, replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from examples import log_shape, random_group, randomise

from model_code.bundle import ONNX_MODEL
from model_code.export import export_onnx
from model_code.models.table import MODELS, build, entry

MAX_LENGTH = 3
SMALL = {  # few operations, as it is these that an export takes its time for
    "embedding_width": 4, "hidden": (6, 5), "unit_hidden": (8, 3), "next_item_hidden": (4,), "interests": 2,
    "heads": 2, "iterations": 2, "layers": 1, "user_embedding": True,
}  # fmt: skip
# Two parts exchanged at once: so every layer is exported, if not every model of the table.
EXCHANGED = {
    "gat": {"aggregation": "moe"},
    "gcmc": {"aggregation": "mean"},
    "lightgcn": {"aggregation": "hard_routing"},
}
IN_THEIR_PARTS = ("multi_avg", "hard_routing", "moe", "wo_dha", "wo_ssl", "wo_ie")
GROUPS = {
    "several": random_group([3, 1, 2], candidates=3),
    "one of everything": random_group([1], candidates=1),
    "one long history": random_group([3], candidates=1, seed=1),
    "more candidates than slots": random_group([2, 1], candidates=9, seed=2),
    "padded": random_group([1, 2, 1, 1, 2], candidates=2, length=3, seed=3),
    "not padded": random_group([1, 2, 1, 1, 2], candidates=2, seed=3),
    "one slot": random_group([1, 1], candidates=4, seed=4),
}


def small(name):
    known = {field.name for field in fields(entry(name).settings)} - entry(name).fixed.keys()
    changes = {key: value for key, value in SMALL.items() if key in known}
    return replace(entry(name).defaults(), **changes, **EXCHANGED.get(name, {}))


def export(name, settings, max_length, folder):
    torch.manual_seed(0)
    model = randomise(build(name, settings, log_shape(max_length=max_length))).float().eval()
    export_onnx(model, max_length, folder)
    return model, folder / ONNX_MODEL


@pytest.fixture(scope="module", params=[name for name in MODELS if name not in IN_THEIR_PARTS])
def exported(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "onnx"
    return export(request.param, small(request.param), MAX_LENGTH, folder)


def run(path, group):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {name: tensor.numpy() for name, tensor in group._asdict().items()})[0]


def assert_agrees(model, path, groups):
    for name, group in groups.items():
        with torch.no_grad():
            expected = model(group).logits.numpy()
        np.testing.assert_allclose(run(path, group), expected, rtol=1e-5, atol=1e-5, err_msg=name)


def test_gives_what_pytorch_gives(exported):
    assert_agrees(*exported, GROUPS)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_every_model_as_it_is_by_default_gives_what_pytorch_gives(name, tmp_path):
    longer = {"longer": random_group([7, 1, 5], candidates=4), "longer, padded": random_group([4], 1, 6)}
    assert_agrees(*export(name, entry(name).defaults(), 7, tmp_path / "onnx"), GROUPS | longer)


def test_the_file_is_whole_and_says_nothing_of_this_machine(exported, pytestconfig):
    _, path = exported
    onnx.checker.check_model(path)
    content = path.read_bytes()
    assert str(pytestconfig.rootpath).encode() not in content
    assert b".py" not in content
    assert sorted(file.name for file in path.parent.iterdir()) == [ONNX_MODEL]


def test_the_model_itself_stays_as_it_was(tmp_path):
    model = build("popularity", small("popularity"), log_shape(max_length=1)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    export_onnx(model, 1, tmp_path / "onnx")
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert_agrees(model.eval(), tmp_path / "onnx" / ONNX_MODEL, {"one slot": GROUPS["one slot"]})


def test_large_weights_lie_beside_the_model(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.onnx._internal.exporter._onnx_program._LARGE_MODEL_THRESHOLD", 0)
    model, path = export("popularity", small("popularity"), MAX_LENGTH, tmp_path / "large")
    assert sorted(file.name for file in path.parent.iterdir()) == [ONNX_MODEL, ONNX_MODEL + ".data"]
    moved = path.parent.rename(tmp_path / "moved")
    assert_agrees(model, moved / ONNX_MODEL, GROUPS)
