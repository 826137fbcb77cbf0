"""The way to the sequences: what a log's configuration says of it, and the steps that all pipelines share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import yaml

from model_code.events.engine import EngineSettings
from model_code.events.source import ColumnSettings, SourceSettings, TimeSettings, WindowSettings
from model_code.events.split import SplitSettings
from model_code.events.validation_settings import ValidationSettings
from model_code.sequences.settings import SequenceSettings
from model_code.settings import require, settings
from model_code.training.settings import TrainingSettings
from pipelines.parameters import read_settings
from steps.build_sequences import build_sequences
from steps.caching import ROOT, files_version, raw_files
from steps.ingest import ingest
from steps.lineage import lineage
from steps.require_valid import require_valid
from steps.split import split
from steps.validate import validate

# Parameters of the training pipeline that say nothing of the log.
OF_MODELS = ("model", "baselines", "own_scores", "evaluation", "gates")


@settings
class LogConfig:
    """What a training configuration says of its log; the defaults are the demo log's.

    Attributes:
        name: what reports call the log.
        source: where it is and how it is written.
        engine: how much of the machine to use.
        suite: YAML file of the expectations, relative to the project.
        validation: limits of the expectations, as configured; `limits` completes them.
        split: which users stay, and where time is cut.
        sequences: histories and negatives.
        training: how models are trained on it.
    """

    name: str = "the demo click log"
    source: SourceSettings = SourceSettings(
        path="data/clicks",
        columns=ColumnSettings(
            user_id="user_id",
            item_id="item_id",
            category_id="category_id",
            behavior="behavior",
            timestamp="timestamp",
        ),
        time=TimeSettings(unit="ms"),
        behaviors_known=("pv", "cart", "fav", "buy"),
        behaviors_kept=("pv",),
        window=WindowSettings(start="2024-03-04T00:00:00+00:00"),
        ids="integer",
    )
    engine: EngineSettings = EngineSettings()
    suite: str = "configs/expectations/click_log.yaml"
    validation: ValidationSettings = ValidationSettings()
    split: SplitSettings = SplitSettings()
    sequences: SequenceSettings = SequenceSettings()
    training: TrainingSettings = TrainingSettings()

    @property
    def limits(self) -> ValidationSettings:
        """The limits, with the behaviours of the source where none are given."""
        table = self.source.as_table()
        behaviors = self.validation.behaviors or table.behaviors_kept or table.behaviors_known
        return replace(self.validation, behaviors=behaviors)


class Prepared(NamedTuple):
    """Artifacts of the shared steps, and the versions of data and code that they were made of."""

    clicks: Any  # ClickLog
    data: Any  # SequenceFolder
    validation: Any  # ValidationFolder
    split_log: Any  # SplitLog
    lineage: dict[str, str]


def read_log_config(path: str | None) -> LogConfig:
    """Read what a configuration of the training pipeline says of its log.

    Args:
        path: the YAML file, relative to the project; ``None`` for the demo log.

    Raises:
        SettingsError: when there is no such file, it sets what does not exist, or an environment variable
            that it names is not set.
    """
    if path is None:
        return LogConfig()
    require((ROOT / path).is_file(), "log", path, "a YAML file in the project, or null for the demo log")
    values = yaml.safe_load((ROOT / path).read_text(encoding="utf-8")) or {}
    parameters = dict(values.get("parameters") or {})
    for name in OF_MODELS:
        parameters.pop(name, None)
    config: LogConfig = read_settings(LogConfig, f"{path}: parameters", parameters)
    return config


def prepare(log: LogConfig, gate: bool = True) -> Prepared:
    """Ingest, validate, split, build sequences: the same steps, and so the same cache, in every pipeline.

    Args:
        log: the log.
        gate: stop where validation fails; without it that is for a later step to act on.
    """
    require((ROOT / log.suite).is_file(), "suite", log.suite, "a YAML file in the project")
    files = raw_files(log.source)
    version = files_version(files)
    origin = lineage(log.source.path, files.values(), version)
    clicks = ingest(log.source, log.engine, version)
    suite_version = files_version({log.suite: ROOT / log.suite})
    validation = validate(clicks, log.name, log.suite, suite_version, log.limits, log.engine)
    if gate:
        require_valid(validation, origin)
    split_log = split(clicks, log.split, log.engine, after="require_valid" if gate else None)
    data = build_sequences(split_log, log.sequences, log.engine)
    return Prepared(clicks, data, validation, split_log, origin)
