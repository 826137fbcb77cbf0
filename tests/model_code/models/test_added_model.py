"""The model that the docs add by example is a model."""

import re
from pathlib import Path

import torch
import yaml
from examples import log_shape, random_group

from model_code.models import table
from model_code.models.choice import ModelChoice

DOCS = Path(__file__).parents[3] / "docs" / "models.md"


def test_the_example_of_the_docs_is_found_by_name_and_scores(monkeypatch):
    model, line, block = re.findall(r"```(?:python|yaml)\n(.*?)```", DOCS.read_text(), re.DOTALL)[-3:]
    names = {"Entry": table.Entry}
    exec(model, names)
    monkeypatch.setattr(table, "MODELS", table.MODELS | eval(f"{{{line}}}", names))

    [baseline] = yaml.safe_load(block)["baselines"]
    choice = ModelChoice(**baseline)
    built = table.build(choice.name, choice.typed_settings, log_shape())
    group = random_group([3, 1, 5], candidates=4)
    logits, losses = built(group)
    history, candidates = built.nodes(group)
    assert losses == {}
    assert candidates.shape[-1] == 16
    expected = sum(history[2, i] for i in range(5)) / 5 @ candidates[2, 3]
    torch.testing.assert_close(logits[2, 3], expected)
