"""The scoring pipeline: a promoted model over users and candidates, in bulk."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from zenml import pipeline

from model_code.batch_scoring.settings import BatchScoringSettings
from model_code.settings import require
from pipelines.parameters import from_yaml
from pipelines.preparation import read_log_config
from steps.caching import ROOT, raw_version
from steps.ingest import ingest
from steps.score import score

Scoring = Annotated[BatchScoringSettings, from_yaml(BatchScoringSettings, "scoring")]


@pipeline
def scoring_pipeline(
    model: str = "deminet-demo",
    log: str | None = None,
    scoring: Scoring = BatchScoringSettings(top_n=10),
    device: str = "auto",
) -> None:
    """Ingest a log, score its users with the promoted version of a model.

    Args:
        model: the registered model's name.
        log: the training pipeline's configuration of the log, relative to the project; ``None`` is the demo
            log. Its events come from the cache where the training pipeline has read the same files.
        scoring: users, candidates and moment; files are relative to the project.
        device: "auto", or a torch device name.
    """
    config = read_log_config(log)
    files = {name: getattr(scoring, name) for name in ("pairs", "items", "users")}
    for name, path in files.items():
        there = path is None or (ROOT / path).is_file()
        require(there, f"scoring.{name}", path, "a Parquet file, by a path from the project's root, or null")
    found: dict[str, Any] = {name: str(ROOT / path) for name, path in files.items() if path is not None}
    clicks = ingest(config.source, config.engine, raw_version(config.source))
    score(clicks, model, replace(scoring, **found), config.engine, device)
