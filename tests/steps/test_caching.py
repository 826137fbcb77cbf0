"""What a step's cache key depends on."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from model_code.benchmark.cell import Cell
from model_code.events.errors import IngestError
from model_code.events.source import CategoryTableSettings, ColumnSettings, SourceSettings
from model_code.models.choice import ModelChoice
from model_code.training.settings import TrainingSettings
from steps import caching
from steps.run_grid import MODEL_MODULES, cell_version


@pytest.fixture(autouse=True)
def hashes(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(caching, "HASHES", tmp_path_factory.mktemp("hashes") / "hashes.json")


def closure(*modules: str) -> set[str]:
    return {str(path.relative_to(caching.ROOT)) for path in caching._closure(modules)}


def test_a_step_depends_on_what_it_imports_directly_or_not():
    assert {"steps/split.py", "model_code/events/split.py", "model_code/settings.py"} <= closure(
        "steps.split"
    )
    validate = closure("steps.validate", "steps.expectations.__main__")
    assert "model_code/reports/templates/validation.html" in validate
    assert "steps/expectations/suite.py" in validate


@pytest.mark.parametrize(
    ("step", "foreign"),
    [
        ("steps.ingest", "model_code/models"),
        ("steps.ingest", "model_code/evaluation"),
        ("steps.split", "model_code/sequences"),
        ("steps.build_sequences", "model_code/models"),
        ("steps.train", "model_code/evaluation/gates.py"),
        ("steps.train", "model_code/reports"),
        ("steps.train", "model_code/tuning"),
        ("steps.tune", "model_code/reports"),
        ("steps.compare", "model_code/models"),
    ],
)
def test_a_step_does_not_depend_on_what_it_does_not_use(step, foreign):
    assert not [path for path in closure(step) if path.startswith(foreign)]


def test_version_follows_the_source(tmp_path, monkeypatch):
    package = tmp_path / "model_code"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "user.py").write_text("def f():\n    from model_code import used\n    return used\n")
    (package / "used.py").write_text("x = 1\n")
    (package / "unused.py").write_text("x = 1\n")
    monkeypatch.setattr(caching, "ROOT", tmp_path)
    before = caching.code_version("model_code.user")
    (package / "unused.py").write_text("x = 2\n")
    assert caching.code_version("model_code.user") == before
    (package / "used.py").write_text("x = 2\n")
    assert caching.code_version("model_code.user") != before


def test_raw_version_follows_every_file_of_log_and_category_table(tmp_path):
    log, table = tmp_path / "log", tmp_path / "table"
    for folder in (log, table):
        folder.mkdir()
        (folder / "a.csv").write_text("u,i,t\n")
    source = SourceSettings(
        path=str(log),
        columns=ColumnSettings(user_id="u", item_id="i", timestamp="t"),
        categories=CategoryTableSettings(path=str(table), item_id="i", category_id="c"),
    )
    seen = [caching.raw_version(source)]
    for path in (log / "a.csv", table / "a.csv", log / "b.csv"):
        os.utime(log / "a.csv", (1, 1))
        assert caching.raw_version(source) == seen[-1], "touched is not changed"
        path.write_text("u,i,t\n1,2,3\n")
        seen.append(caching.raw_version(source))
    shutil.copytree(tmp_path / "log", tmp_path / "elsewhere")
    assert caching.raw_version(replace(source, path=str(tmp_path / "elsewhere"))) == seen[-1]
    (log / "b.csv").unlink()
    assert caching.raw_version(source) == seen[2]
    assert len(set(seen)) == len(seen)
    Path(table / "a.csv").unlink()
    with pytest.raises(IngestError, match=r"source\.categories\.path"):
        caching.raw_version(source)


def test_raw_version_follows_the_files_that_a_published_format_implies(tmp_path):
    names = ("events", "item_properties_part1", "item_properties_part2", "category_tree")
    for name in names:
        (tmp_path / f"{name}.csv").write_text("a\n")
    source = SourceSettings(path=str(tmp_path), format="retailrocket")
    seen = {caching.raw_version(source)}
    for name in names:
        (tmp_path / f"{name}.csv").write_text("b\n")
        seen.add(caching.raw_version(source))
    assert len(seen) == 5
    books = SourceSettings(
        path=str(tmp_path / "events.csv"), format="amazon_2014", metadata=str(tmp_path / "no.json")
    )
    with pytest.raises(IngestError, match=r"source\.metadata: .*no\.json does not exist"):
        caching.raw_version(books)


def test_a_cell_of_a_benchmark_depends_on_its_own_model_alone():
    din, moe = (Cell(choice=ModelChoice(name=name), training=TrainingSettings()) for name in ("din", "moe"))
    without = {"model_code.models.table", *MODEL_MODULES} - {"model_code.models.din"}
    files = {
        str(path.relative_to(caching.ROOT))
        for path in caching._closure(("model_code.benchmark.work", "model_code.models.din"), without)
    }
    assert {"model_code/models/din.py", "model_code/training/loop.py", "model_code/kernels/adam.c"} <= files
    assert not [path for path in files if "deminet" in path or "dependency_attention.py" in path]
    assert cell_version(din) != cell_version(moe)
