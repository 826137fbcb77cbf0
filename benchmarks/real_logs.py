"""Real logs, prepared as the pipeline does it, without the orchestrator."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.apart import ROOT, Result, run_module, serve
from model_code.events.engine import EngineSettings
from model_code.events.ingest import ingest
from model_code.events.source import SourceSettings
from model_code.events.split import SplitSettings, split
from model_code.sequences.build import build
from model_code.sequences.settings import SequenceSettings
from model_code.settings import parse

VARIABLE = "DEMINET_DATA"
CONFIGS = ROOT / "configs"


def missing(name: str) -> str | None:
    """Why the log of a config, "globo" say, cannot be read; None if it can."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        return f"{VARIABLE} does not name the folder of the real logs"
    return None if (Path(folder) / name).is_dir() else f"{VARIABLE} holds no folder {name}"


def prepare(name: str, out: Path) -> Result:
    """Ingest, split and build a log in a process of its own; ``out / "sequences"`` is what trains.

    Returns:
        The prepared log's ``sizes`` and ``settings``.
    """
    return run_module(__name__, {"name": name, "out": str(out)})


def _prepare(payload: Mapping[str, Any]) -> Result:
    out, engine = Path(payload["out"]), EngineSettings()
    text = (CONFIGS / f"{payload['name']}.yaml").read_text(encoding="utf-8")
    parameters = yaml.safe_load(os.path.expandvars(text))["parameters"]

    def settings(cls: type, name: str) -> Any:
        return parse(cls, parameters.get(name, {}), name)

    log = ingest(settings(SourceSettings, "source"), engine, out / "log")
    parts = split(log, settings(SplitSettings, "split"), engine, out / "split")
    data = build(parts, settings(SequenceSettings, "sequences"), engine, out / "sequences")
    return {"sizes": data.sizes._asdict(), "settings": data.manifest["settings"]}


if __name__ == "__main__":
    serve(_prepare)
