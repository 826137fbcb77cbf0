"""A window of a click log, or of a prediction log -> what the model saw in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from zenml import step

from model_code.events.checks import OUTSIDE_WINDOW
from model_code.events.click_log import ClickLog
from model_code.events.source import WindowSettings
from model_code.events.validation import ValidationFolder
from model_code.monitoring import from_log, predictions
from model_code.monitoring.behaviors import count_behaviors
from model_code.monitoring.observations import Observations
from model_code.monitoring.observed import InputFacts, ObservedFolder
from model_code.monitoring.reference import Reference
from model_code.monitoring.sources import PredictionSource
from model_code.sequences.data import SequenceFolder
from model_code.training.device import resolve_device
from steps.artifacts import FolderMaterializer, output_folder
from steps.champion import require_version
from steps.measure import measured
from steps.reports import publish


@step(enable_cache=False, output_materializers=FolderMaterializer)
def observe_log(
    sequences: SequenceFolder,
    clicks: ClickLog,
    validation: ValidationFolder,
    window: WindowSettings,
    model: str,
    version: str,
    device: str,
    lineage: dict[str, str],
) -> Annotated[ObservedFolder, "observed"]:
    """Score the window's test part with the model.

    Never cached: a version is a name, and what it names may change.
    """
    with measured() as notes:
        publish(validation.report, lineage)
        start, end = window.milliseconds()
        bundle = require_version(model, version).bundle
        observations = from_log.observe_log(bundle, sequences, end, resolve_device(device))
        folder = ObservedFolder(output_folder())
        behaviors = count_behaviors(clicks.behaviors, observations.start, observations.end)
        folder.write(observations, behaviors, _facts(clicks, validation), None)
        notes.update(rows=len(observations), start=start, end=end)
    return folder


@step(enable_cache=False, output_materializers=FolderMaterializer)
def observe_predictions(
    source: PredictionSource, window: WindowSettings, model: str, version: str
) -> Annotated[ObservedFolder, "observed"]:
    """Read a service's predictions in the window, with the labels that have arrived.

    Never cached: the log grows.
    """
    with measured() as notes:
        bundle = require_version(model, version).bundle
        vocabulary, served = bundle.vocabulary, source.model_version or bundle.identity
        labels = None if source.labels is None else Path(source.labels)

        def read(time: WindowSettings) -> tuple[Observations, predictions.PredictionCounts]:
            start, end = time.milliseconds()
            assert start is not None
            assert end is not None
            return predictions.observe_predictions(Path(source.path), labels, vocabulary, served, start, end)

        observations, counts = read(window)
        reference = None if source.reference is None else Reference(read(source.reference)[0], None)
        folder = ObservedFolder(output_folder())
        folder.write(observations, None, InputFacts(remarks=counts.in_words()), reference)
        notes.update(rows=len(observations), labels=counts.labels)
    return folder


def _facts(clicks: ClickLog, validation: ValidationFolder) -> InputFacts:
    manifest = clicks.manifest
    raw = manifest["balance"]["raw"] - manifest["quarantine_reasons"].get(OUTSIDE_WINDOW, 0)
    bad = sum(rows for reason, rows in manifest["quarantine_reasons"].items() if reason != OUTSIDE_WINDOW)
    failures = (failure.description for failure in validation.result.critical_failures)
    return InputFacts(tuple(failures), bad / max(raw, 1))
