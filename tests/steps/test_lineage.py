"""Lineage names the data that a model was really trained on."""

from steps import lineage


def test_pinned_data_has_its_md5_other_data_its_files(tmp_path, monkeypatch):
    (tmp_path / "data.dvc").write_text("outs:\n- md5: abc.dir\n  path: data\n")
    monkeypatch.setattr(lineage, "ROOT", tmp_path)
    inside = lineage.lineage(str(tmp_path / "data" / "clicks"), "v1")
    assert inside["data.dvc md5"] == "abc.dir"
    assert inside["raw files"] == "v1"
    outside = lineage.lineage("/logs/clicks", "v2")
    assert "data.dvc md5" not in outside
    assert outside["source"] == "/logs/clicks"


def test_folder_without_git_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(lineage, "ROOT", tmp_path)
    assert "git commit" not in lineage.lineage("/logs", "v")
