"""One stage of the preparation of a log, in this process; see `benchmarks.prepare`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import torch

from benchmarks.apart import ROOT, Result, serve
from benchmarks.clock import peak_memory
from benchmarks.prepare_pandas import prepare_in_pandas
from model_code.events.click_log import ClickLog
from model_code.events.engine import EngineSettings
from model_code.events.health import measure as measure_health
from model_code.events.ingest import ingest
from model_code.events.log_tables import log_tables
from model_code.events.source import SourceSettings
from model_code.events.split import SplitLog, SplitSettings, split
from model_code.events.validation_settings import ValidationSettings
from model_code.sequences.build import build
from model_code.sequences.settings import SequenceSettings
from steps.expectations.run import validate

SUITE = ROOT / "configs" / "expectations" / "click_log.yaml"
SEQUENCES = SequenceSettings(max_length=50)


def run(payload: Mapping[str, Any]) -> Result:
    """Run ``stage`` on the log in ``folder``, on what the stages before it wrote there."""
    folder = Path(payload["folder"])
    engine = EngineSettings(memory_limit=payload["memory"], spill_folder=str(folder))
    raw, log, parts, sequences = (folder / name for name in ("log.csv", "log", "split", "sequences"))

    def check_all_rows() -> None:
        with log_tables(ClickLog(log), engine) as tables:
            validate(tables, SUITE, ValidationSettings(), engine)
            measure_health(ClickLog(log), tables, engine)

    stages: dict[str, Callable[[], object]] = {
        "DuckDB alone": lambda: sort_in_duckdb(raw, folder / "sorted.parquet", engine),
        "ingest": lambda: ingest(SourceSettings(path=str(raw), format="taobao"), engine, log),
        "validate": check_all_rows,
        "split": lambda: split(ClickLog(log), SplitSettings(), engine, parts),
        "build": lambda: build(SplitLog(parts), SEQUENCES, engine, sequences),
        "pandas": lambda: prepare_in_pandas(raw, SEQUENCES, folder / "pandas"),
    }
    began = time.perf_counter()
    stages[payload["stage"]]()
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "peak": peak_memory(torch.device("cpu"))["process_mib"]}


def sort_in_duckdb(raw: Path, out: Path, engine: EngineSettings) -> None:
    """Read the CSV with its types given, and write it sorted by user and time."""
    header = SourceSettings(path=str(raw), format="taobao").as_table().header or ()
    types = {name: "VARCHAR" if name == "behavior" else "BIGINT" for name in header}
    with duckdb.connect(config={**engine.config(), "temp_directory": str(out.parent)}) as connection:
        rows = connection.read_csv(str(raw), header=False, columns=types)
        rows.order("user_id, timestamp").write_parquet(str(out))


if __name__ == "__main__":
    serve(run)
