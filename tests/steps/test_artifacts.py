"""Folders travel to an artifact store and back, whether it is local or not."""

from pathlib import Path

import pytest
from zenml.enums import VisualizationType

from model_code.files import Folder
from steps import artifacts
from steps.artifacts import FolderMaterializer, folder_hash


class Results(Folder):
    """For the tests."""


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "made"
    (folder / "deep").mkdir(parents=True)
    (folder / "report.html").write_text("<p>")
    (folder / "deep" / "array.npy").write_bytes(b"\x00\x01")
    return Results(folder)


def test_what_a_step_wrote_into_the_local_store_stays_where_it_is(tmp_path, results):
    store = tmp_path / "store"
    store.mkdir()
    results.path.rename(store / "content")
    before = (store / "content" / "report.html").stat().st_ino
    materializer = FolderMaterializer(str(store))
    materializer.save(Results(store / "content"))
    assert materializer.load(Results) == Results(store / "content")
    assert (store / "content" / "report.html").stat().st_ino == before


def test_remote_store_gets_a_copy_and_gives_one_back(tmp_path, results, monkeypatch):
    monkeypatch.setattr(artifacts.io_utils, "is_remote", lambda path: True)
    store = tmp_path / "store"
    store.mkdir()
    materializer = FolderMaterializer(str(store))
    materializer.save(results)
    loaded = materializer.load(Results)
    assert isinstance(loaded, Results)
    assert not loaded.path.is_relative_to(store)
    assert folder_hash(loaded.path) == folder_hash(results.path)


def test_reports_are_shown_beside_the_artifact(tmp_path, results):
    shown = FolderMaterializer(str(tmp_path / "store")).save_visualizations(results)
    assert shown == {f"{tmp_path}/store/content/report.html": VisualizationType.HTML}


def test_hash_follows_names_and_contents(results):
    hashes = {folder_hash(results.path)}
    (results.path / "deep" / "array.npy").write_bytes(b"\x00\x02")
    hashes.add(folder_hash(results.path))
    Path(results.path / "report.html").rename(results.path / "other.html")
    hashes.add(folder_hash(results.path))
    assert len(hashes) == 3
