"""Lineage names the data that a model was really trained on."""

import pytest

from model_code.lineage import data_version
from steps import lineage
from steps.registry.tools import dvc, git


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A DVC repository with a pinned folder, and a function that gives the lineage of some of its files."""
    monkeypatch.setattr(lineage, "ROOT", tmp_path)
    git(tmp_path, "init", "--quiet")
    dvc(tmp_path, "init", "--quiet")
    log = tmp_path / "data" / "clicks"
    log.mkdir(parents=True)
    (log / "a.csv").write_text("1,2,3\n")
    dvc(tmp_path, "add", "--quiet", "data")
    return tmp_path


def of(folder):
    return lineage.lineage(str(folder), list(folder.iterdir()), "v1")


def test_pinned_data_has_its_md5_other_data_their_files(project):
    log = project / "data" / "clicks"
    facts = of(log)
    assert data_version(facts) == facts["data.dvc md5"]
    assert facts["data.dvc md5"].endswith(".dir")
    assert facts["raw files"] == "v1"
    (log / "b.csv").write_text("1,2,4\n")
    changed = of(log)
    assert "data.dvc md5" not in changed
    assert "`dvc add data`" in changed["data.dvc"]
    assert data_version(changed) == "v1"
    outside = project / "elsewhere"
    outside.mkdir()
    (outside / "a.csv").write_text("1,2,3\n")
    facts = of(outside)
    assert not {"data.dvc", "data.dvc md5"} & set(facts)
    assert data_version(facts) == "v1"
    assert facts["source"] == str(outside)


def test_folder_without_git_and_dvc_has_neither(tmp_path, monkeypatch):
    monkeypatch.setattr(lineage, "ROOT", tmp_path)
    (tmp_path / "data.dvc").write_text("outs:\n- md5: abc.dir\n  path: data\n")
    facts = lineage.lineage("data", [tmp_path / "data" / "a.csv"], "v")
    assert "git commit" not in facts
    assert data_version(facts) == "v"
