"""Both engines give the same bytes."""

import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from model_code.events.engine import EngineSettings
from model_code.events.ingest import ingest
from model_code.events.simulate import DEMO, write_demo_log
from model_code.events.source import ColumnSettings, SourceSettings
from model_code.events.split import SplitSettings, split
from model_code.sequences.build import build
from model_code.sequences.settings import SequenceSettings
from pipelines.preparation import LogConfig
from tests.model_code.events.both_engines import SPARK, needs_spark, rows, same_log
from tests.model_code.events.raw_logs import T0, write

pytestmark = [pytest.mark.slow, needs_spark]
DEFAULT = SequenceSettings()
DATA = os.environ.get("DEMINET_DATA")


def prepared(source, engine, out, sequences):
    log = ingest(source, engine, out / "log")
    parts = split(log, SplitSettings(min_interactions=3), engine, out / "split")
    build(parts, sequences, engine, out / "sequences")
    return log, parts, out / "sequences"


def same(source, out, sequences=DEFAULT):
    """Prepare a log with both engines, and compare; return DuckDB's."""
    log, parts, folder = prepared(source, EngineSettings(threads=1), out / "duckdb", sequences)
    other_log, other_parts, other_folder = prepared(source, SPARK, out / "spark", sequences)
    same_log(log, other_log)
    assert parts.manifest == other_parts.manifest
    assert rows(parts.events) == rows(other_parts.events)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert files == sorted(
        path.relative_to(other_folder) for path in other_folder.rglob("*") if path.is_file()
    )
    assert len([path for path in files if path.suffix == ".npy"]) > 15
    for path in files:
        assert (folder / path).read_bytes() == (other_folder / path).read_bytes(), path
    return log


def test_the_demo_log(tmp_path):
    write_demo_log(DEMO, tmp_path / "clicks")
    log = same(replace(LogConfig().source, path=str(tmp_path / "clicks")), tmp_path)
    assert log.balance.quarantined == 11


@pytest.mark.skipif(not DATA, reason="DEMINET_DATA does not name the folder of the real logs")
def test_the_head_and_tail_of_taobao(tmp_path):
    log = same(SourceSettings(path=str(Path(str(DATA), "taobao")), format="taobao"), tmp_path)
    assert log.manifest["quarantine_reasons"] == {"unparsable row": 1, "outside window": 39}


def test_ids_that_are_texts_and_categories_that_are_unknown(tmp_path):
    rng = random.Random(0)
    lines = [
        f"u{rng.randrange(40)},é{rng.randrange(60) ** 2 % 61},{rng.choice(['', 'x', 'Z', 'ａ', '😀'])},"
        f"{T0 + rng.randrange(4000)}"
        for _ in range(3000)
    ]
    columns = ColumnSettings(user_id="u", item_id="i", timestamp="t", category_id="c")
    path = write(tmp_path / "a.csv", "u,i,c,t", *lines)
    sequences = SequenceSettings(negatives_per_positive=3, negative_block=200)
    same(SourceSettings(path=str(path), columns=columns), tmp_path, sequences)
