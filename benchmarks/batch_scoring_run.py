"""One measurement of batch scoring, in this process; see `benchmarks.batch_scoring`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from benchmarks.apart import Result, serve
from benchmarks.batch_scoring import MAX_LENGTH, MEMORY_LIMIT
from benchmarks.clock import peak_memory
from model_code.batch_scoring.run import score_log
from model_code.batch_scoring.settings import BatchScoringSettings
from model_code.bundle import Bundle, write_bundle
from model_code.events.click_log import ClickLog
from model_code.events.engine import EngineSettings
from model_code.groups import LogShape
from model_code.models.table import MODELS, build
from model_code.sequences.vocabulary import Vocabulary
from model_code.settings import parse


def measure(payload: Mapping[str, Any]) -> Result:
    """Score what `benchmarks.batch_scoring.write_inputs` wrote."""
    folder = Path(payload["folder"])
    bundle = _bundle(payload["model"], folder)
    kind = "pairs" if payload["pairs"] else "items"
    settings = parse(BatchScoringSettings, {kind: str(folder / f"{kind}.parquet")}, "scoring")
    engine = EngineSettings(memory_limit=MEMORY_LIMIT)
    began = time.perf_counter()
    scores = score_log(ClickLog(folder / "log"), bundle, settings, engine, folder / "scores")
    seconds = time.perf_counter() - began
    peak = peak_memory(torch.device("cpu"))["process_mib"]
    return {"scores": scores.manifest["scores"], "seconds": seconds, "peak": peak}


def _bundle(name: str, folder: Path) -> Bundle:
    """Fresh weights of a model."""
    torch.manual_seed(0)
    vocabulary, settings = folder / "vocabulary", MODELS[name].defaults()
    sizes = Vocabulary.load(vocabulary).sizes
    shape = LogShape(sizes, MAX_LENGTH, torch.ones(sizes.items, dtype=torch.int64))
    model = build(name, settings, shape)
    return write_bundle(
        folder / "bundle",
        name=name,
        settings=settings,
        model=model,
        shape=shape,
        vocabulary=vocabulary,
        history=[],
        details={},
    )


if __name__ == "__main__":
    serve(measure)
