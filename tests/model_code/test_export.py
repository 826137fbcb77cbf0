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

MAX_LENGTH = 4
SMALL = {  # few operations, as it is these that an export takes its time for
    "embedding_width": 4, "hidden": (6, 5), "unit_hidden": (8, 3), "next_item_hidden": (4,), "interests": 2,
    "heads": 2, "iterations": 2, "layers": 1, "user_embedding": True,
}  # fmt: skip
GROUPS = {
    "several": random_group([4, 1, 3], candidates=3),
    "one of everything": random_group([1], candidates=1),
    "one long history": random_group([4], candidates=1, seed=1),
    "more candidates than slots": random_group([2, 1], candidates=9, seed=2),
    "padded": random_group([1, 2, 1, 1, 2], candidates=2, length=4, seed=3),
    "less padded": random_group([1, 2, 1, 1, 2], candidates=2, length=3, seed=3),
    "one slot": random_group([1, 1], candidates=4, seed=4),
}


WITHOUT_GRAPH = ("multi_avg", "hard_routing", "moe", "wo_ssl", "wo_ie")  # theirs is that of "deminet"


def small(name):
    known = {field.name for field in fields(entry(name).settings)} - entry(name).fixed.keys()
    changes = {key: value for key, value in SMALL.items() if key in known}
    if name in WITHOUT_GRAPH:
        changes["operator"] = "none"
    return replace(entry(name).defaults(), **changes)


@pytest.fixture(scope="module", params=MODELS)
def exported(request, tmp_path_factory):
    name = request.param
    torch.manual_seed(0)
    model = randomise(build(name, small(name), log_shape(max_length=MAX_LENGTH))).float().eval()
    folder = tmp_path_factory.mktemp("export") / name
    export_onnx(model, MAX_LENGTH, folder)
    return model, folder / ONNX_MODEL


def run(path, group):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    inputs = {name: tensor.numpy() for name, tensor in group._asdict().items()}
    return session.run(None, {field.name: inputs[field.name] for field in session.get_inputs()})[0]


def test_gives_what_pytorch_gives(exported):
    model, path = exported
    for name, group in GROUPS.items():
        with torch.no_grad():
            expected = model(group).logits.numpy()
        np.testing.assert_allclose(run(path, group), expected, rtol=1e-5, atol=1e-5, err_msg=name)


def test_the_file_is_whole_and_says_nothing_of_this_machine(exported, pytestconfig):
    _, path = exported
    onnx.checker.check_model(path)
    content = path.read_bytes()
    assert str(pytestconfig.rootpath).encode() not in content
    assert b".py" not in content
    assert sorted(file.name for file in path.parent.iterdir()) == [ONNX_MODEL]


def test_the_model_itself_stays_as_it_was(tmp_path):
    model = randomise(build("din", small("din"), log_shape(max_length=1))).float().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    export_onnx(model, 1, tmp_path / "onnx")
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    group = random_group([1, 1], candidates=3)
    expected = model.eval()(group).logits.detach().numpy()
    np.testing.assert_allclose(run(tmp_path / "onnx" / ONNX_MODEL, group), expected, rtol=1e-5, atol=1e-5)
