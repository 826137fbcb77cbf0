"""The commands of docs/incremental.md, as they stand there; only the models are smaller than the demo's."""

from __future__ import annotations

import json
import re
import shutil

import pytest
import yaml
from project import ROOT, SMALL
from runner import Runner

from steps.registry.tools import git

COPIED = (
    "model_code", "steps", "pipelines", "configs", "demo", "data.dvc", ".gitignore", ".dvcignore", "Makefile",
    "pyproject.toml", "constraints.txt",
)  # fmt: skip
TRAIN = "zenml pipeline run pipelines.training.training_pipeline"
DOCUMENT = (ROOT / "docs" / "incremental.md").read_text(encoding="utf-8")
VERSIONS = """
import json
from zenml.client import Client
versions = Client().list_model_versions(model="deminet-demo", hydrate=True).items
print(json.dumps({version.name: version.run_metadata["lineage"] for version in versions}))
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A clone of the project that trains small models on the demo log."""
    folder = tmp_path_factory.mktemp("incremental")
    origin = folder / "origin"
    origin.mkdir()
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, origin / name)
    (origin / ".dvc").mkdir()
    for name in ("config", ".gitignore"):
        shutil.copy(ROOT / ".dvc" / name, origin / ".dvc")
    (origin / "configs" / "small.yaml").write_text(yaml.safe_dump({"parameters": SMALL}))
    makefile = (origin / "Makefile").read_text()
    assert TRAIN in makefile
    (origin / "Makefile").write_text(makefile.replace(TRAIN, f"{TRAIN} --config configs/small.yaml"))
    git(origin, "init", "--quiet", "--initial-branch=main")
    git(origin, "add", "--all")
    git(origin, "-c", "user.name=Ann", "-c", "user.email=a@example.org", "commit", "--quiet", "-m", "Start")
    machine = Runner(folder / "machine", origin)
    git(machine.checkout, "config", "user.name", "Ann")
    git(machine.checkout, "config", "user.email", "ann@example.org")
    return machine


def table(text):
    """Rows of the comparison of logs in a text."""
    rows = text[text.rindex("raw log than version") :].split("\n\n")[1]
    return [re.split(" {2,}", row.strip()) for row in rows.splitlines()]


@pytest.mark.slow
def test_the_walkthrough(machine):
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
    first, more, again, undo = (text for language, text in blocks if language == "sh")
    shown, repeated = (table(text) for language, text in blocks if not language)
    assert "deminet-demo version 1: " in machine.shell(first)

    said = machine.shell(more)
    assert "deminet-demo version 2: " in said
    assert "Another raw log than version 1's." in said
    assert table(said) == shown
    lineages = json.loads(machine.shell(f".venv/bin/python -c '{VERSIONS}'").splitlines()[-1])
    pinned = [lineages[version]["data.dvc md5"] for version in ("1", "2")]
    assert pinned[0] in (ROOT / "data.dvc").read_text()
    assert pinned[1] in (machine.checkout / "data.dvc").read_text()
    commits = [lineages[version]["git commit"] for version in ("1", "2")]
    assert commits == git(machine.checkout, "log", "--reverse", "--format=%H").split()
    pages = (machine.checkout / "reports" / "training_pipeline").glob("*/*.html")
    latest = sorted(pages, key=lambda page: page.stat().st_mtime)[-2:]
    assert {page.name for page in latest} == {"validation.html", "comparison.html"}
    for page in latest:
        assert f'data.dvc md5: <code style="overflow-wrap: anywhere">{pinned[1]}</code>' in page.read_text()
        assert commits[1] in page.read_text()

    said = machine.shell(again, {"ZENML_LOGGING_COLORS_DISABLED": "true"})
    assert table(said) == repeated
    assert len(re.findall("Using cached version of step `?train_", said)) == 3
    report = next(line.split()[-1] for line in said.splitlines() if "validation.html" in line)
    assert "<code>sent-again.csv.gz</code>" in (machine.checkout / report).read_text()

    machine.shell(undo)
    assert pinned[1] in (machine.checkout / "data.dvc").read_text()
    assert not (machine.checkout / "data" / "clicks" / "sent-again.csv.gz").exists()
    assert git(machine.checkout, "status", "--porcelain") == ""
