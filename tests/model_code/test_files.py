"""A crash while writing leaves the old file, never a half of the new one."""

import json

import pytest

from model_code.files import replacing, write_json


def test_file_and_folder_are_replaced_as_a_whole(tmp_path):
    target = tmp_path / "made" / "result"
    for content in ("old", "new"):
        with replacing(target) as temporary:
            temporary.mkdir()
            (temporary / content).write_text(content)
    assert [path.name for path in target.iterdir()] == ["new"]
    assert [path.name for path in target.parent.iterdir()] == ["result"]


def test_failure_keeps_the_old_content_and_leaves_nothing_behind(tmp_path):
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="disk full"), replacing(target) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError("disk full")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_json_refuses_what_json_cannot_say(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "file.json", {"loss": float("nan")})
    assert not (tmp_path / "file.json").exists()
    write_json(tmp_path / "file.json", {"b": 1, "a": 2})
    assert list(json.loads((tmp_path / "file.json").read_text())) == ["b", "a"]
