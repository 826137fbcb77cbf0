"""The monitoring pipeline: a window of a log, or of a service's predictions, against a model's reference."""

from __future__ import annotations

from contextvars import Context
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from zenml import pipeline

from model_code.bundle import Bundle
from model_code.events.source import EPOCH, WindowSettings
from model_code.monitoring.predictions import parquet_files
from model_code.monitoring.reference import REFERENCE, Reference
from model_code.monitoring.settings import MonitoringSettings
from model_code.monitoring.sources import PredictionSource
from model_code.settings import require
from pipelines.parameters import from_yaml
from pipelines.preparation import LogConfig, prepare, read_log_config
from steps.caching import files_version
from steps.champion import require_version
from steps.lineage import lineage
from steps.monitor import monitor
from steps.observe import observe_log, observe_predictions

Window = Annotated[WindowSettings, from_yaml(WindowSettings, "window")]
Predictions = Annotated[PredictionSource | None, from_yaml(PredictionSource, "predictions")]
Monitoring = Annotated[MonitoringSettings, from_yaml(MonitoringSettings, "monitoring")]


@pipeline
def monitoring_pipeline(
    window: Window = WindowSettings(),
    model: str = "deminet-demo",
    version: str | None = None,
    log: str | None = None,
    path: str | None = None,
    predictions: Predictions = None,
    monitoring: Monitoring = MonitoringSettings(),
    history: str | None = None,
) -> None:
    """Describe the window through the model's eyes, compare it with the reference, judge, report.

    Args:
        window: the time that is looked at; events before it are histories. Without a start it begins where
            the version's own log ended, without an end it lasts as long as the log; of predictions give both.
        model: name of the registered model.
        version: of it; ``None`` is the promoted one.
        log: the training pipeline's configuration of the log, relative to the project; ``None`` is the demo
            log.
        path: where the new log lies, if not where the training log does; it should reach back as far before
            the window as histories do.
        predictions: a service's log to look at in place of a click log.
        monitoring: thresholds and noise.
        history: the file of all windows, relative to the project; ``None`` is
            ``registry/monitoring/<model>.jsonl``.
    """
    # Inside a pipeline function the orchestrator would put off every question until a step runs.
    found = Context().run(require_version, model, version)
    if predictions is not None:
        for name in ("start", "end"):
            moment = getattr(window, name)
            require(moment is not None, f"window.{name}", moment, 'a moment, as "2024-03-17T00:00:00+00:00"')
        observed = observe_predictions(predictions, window, model, found.version)
        name = predictions.path
        files = _prediction_files(predictions)
        origin = lineage(name, files.values(), files_version(files))
    else:
        if window.start is None:
            window = replace(window, start=_end_of_log(found.bundle))
        config = _of_window(read_log_config(log), window, path)
        prepared = prepare(config, gate=False)
        observed = observe_log(
            prepared.data,
            prepared.clicks,
            prepared.validation,
            window,
            model,
            found.version,
            config.training.device,
            prepared.lineage,
        )
        name, origin = config.name, prepared.lineage
    history = history or f"registry/monitoring/{model}.jsonl"
    monitor(observed, name, model, found.version, monitoring, history, origin)


def _prediction_files(source: PredictionSource) -> dict[str, Path]:
    """The files of a prediction log and of its labels, by setting and path."""
    places = {"predictions.path": source.path, "predictions.labels": source.labels}
    return {
        f"{setting}/{file.relative_to(place)}": file
        for setting, place in places.items()
        if place is not None
        for file in parquet_files(Path(place))
    }


def _end_of_log(bundle: Bundle) -> str:
    """Where the log ended that a version was trained and tested on, as a setting has it."""
    end = Reference.read(bundle.path / REFERENCE).observations.end
    return (EPOCH + timedelta(milliseconds=end)).isoformat()


def _of_window(config: LogConfig, window: WindowSettings, path: str | None) -> LogConfig:
    """The log with its test period at the window.

    Later events are set aside. They are no fault of the log, so validation does not count the quarantine: the
    verdict does, without them.
    """
    source = replace(config.source, path=path or config.source.path).as_table()
    source = replace(source, window=WindowSettings(start=source.window.start, end=window.end))
    limits = replace(config.limits, noticed_quarantine_share=1.0, largest_quarantine_share=1.0)
    split = replace(config.split, test_from=window.start)
    return replace(config, source=source, validation=limits, split=split)
