"""The promoted version of the model, as registry or orchestrator know it, and how a new one compares."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from zenml.client import Client
from zenml.enums import ModelStages
from zenml.utils.pagination_utils import depaginate_stream

from model_code.bundle import Bundle
from model_code.evaluation.comparison import Differences, compare
from model_code.evaluation.evaluate import EvaluationFolder, evaluate
from model_code.scoring import recode, score_part
from model_code.sequences.data import SequenceFolder
from model_code.sequences.logged_ids import LoggedIds
from steps.caching import ROOT
from steps.registry.registry import Registry

BUNDLE = "registered_bundle"  # name of the artifact that registration leaves with a version
CHECKSUM = "bundle_checksum"  # metadata of a version: that of its bundle


class Champion(NamedTuple):
    """A promoted model version."""

    version: str
    stage: str
    bundle: Bundle
    checksum: str | None  # of the bundle, as registered; versions from before it was kept have none


class NoModelError(Exception):
    """There is no such model version; the message says how to get one."""


def find_champion(model: str) -> Champion | None:
    """The version of ``model`` in the registry, else in ZenML's production, else in its staging, else none.

    The registry is a file in git: a CI runner, whose ZenML database is empty, knows it too. For a model that
    it keeps it alone decides: what was demoted there does not come back from ZenML.
    """
    if Registry(ROOT).keeps(model):
        return _registered(model)
    for stage in (ModelStages.PRODUCTION, ModelStages.STAGING):
        if found := _find(model, stage):
            return found
    return None


def require_version(model: str, version: str | None) -> Champion:
    """A version of ``model`` by its name, or the promoted one where ``version`` is ``None``; checked.

    Raises:
        NoModelError: when there is none.
        BundleError: when its bundle is not what was registered.
    """
    found = find_champion(model) if version is None else _named(model, version)
    if found is None and version is None:
        raise NoModelError(
            f"no version of {model} is promoted: train it until its gates hold, or promote one by hand with "
            f"`zenml model version update {model} VERSION --stage staging`; or name one in `version`"
        )
    if found is None:
        raise NoModelError(
            f"{model} has no version {version!r} with a bundle; `zenml model version list` has all"
        )
    if not found.bundle.path.is_dir():
        raise NoModelError(f"{found.bundle.path}: the champion's bundle is not there; run `dvc pull`")
    found.bundle.verify(found.checksum)
    return found


def version_before(model: str, number: int) -> Champion | None:
    """The latest version of ``model`` with a bundle and a lower number; ``None`` if there is none."""
    earlier = depaginate_stream(
        Client().list_model_versions, model=model, number=f"lt:{number}", sort_by="desc:number"
    )
    return next(filter(None, (_find(model, str(version.name)) for version in earlier)), None)


def _named(model: str, version: str) -> Champion | None:
    registered = _registered(model)
    return registered if registered and registered.version == version else _find(model, version)


def _registered(model: str) -> Champion | None:
    registry = Registry(ROOT)
    record = registry.champion
    if record is None or record.model != model:
        return None
    return Champion(f"champion-{record.version}", "registry", registry.bundle, record.bundle_checksum)


def _find(model: str, version: str | ModelStages) -> Champion | None:
    try:
        found = Client().get_model_version(model, version)
    except KeyError:
        return None
    artifact = found.get_artifact(BUNDLE)
    if artifact is None:
        return None
    checksum = found.run_metadata.get(CHECKSUM)
    return Champion(
        str(found.name), str(found.stage), artifact.load(), None if checksum is None else str(checksum)
    )


def against(
    champion: Bundle, main: EvaluationFolder, sequences: SequenceFolder, device: torch.device
) -> Differences:
    """The main model minus the champion, which is scored here on the same test samples.

    Args:
        champion: its ids are translated; it may have been trained on another log.
        main: the main model's evaluation.
        sequences: the prepared log that the main model was evaluated on.
        device: to score on.
    """
    data, evaluation = sequences.load(), main.evaluation
    vocabulary, length = champion.vocabulary, champion.manifest["max_length"]
    resident = recode(data, LoggedIds.load(sequences), vocabulary, length, device)
    with TemporaryDirectory() as folder:
        scores = Path(folder) / "champion.parquet"
        score_part(champion.load_model(device), data, resident, "test", scores)
        evaluations = {"main": evaluation, "champion": evaluate(scores, evaluation.settings)}
        paths = {"main": main.scores, "champion": scores}
        return compare(evaluations, paths, "main").differences["champion"]
