"""The promoted version of the model, as the model control plane knows it, and how a new one compares."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from zenml.client import Client
from zenml.enums import ModelStages

from model_code.bundle import VOCABULARY, Bundle
from model_code.evaluation.comparison import Differences, compare
from model_code.evaluation.evaluate import EvaluationFolder, evaluate
from model_code.scoring import recode, score_part
from model_code.sequences.data import SequenceFolder
from model_code.sequences.vocabulary import Vocabulary

BUNDLE = "registered_bundle"  # name of the artifact that registration leaves with a version


class Champion(NamedTuple):
    """A promoted model version."""

    version: str
    stage: str
    bundle: Bundle


class NoModelError(Exception):
    """There is no such model version; the message says how to get one."""


def find_champion(model: str) -> Champion | None:
    """The version of ``model`` in production, else in staging, else none."""
    for stage in (ModelStages.PRODUCTION, ModelStages.STAGING):
        if found := _find(model, stage):
            return found
    return None


def require_version(model: str, version: str | None) -> Champion:
    """A version of ``model`` by its name, or the promoted one where ``version`` is ``None``.

    Raises:
        NoModelError: when there is none.
    """
    found = find_champion(model) if version is None else _find(model, version)
    if found is None and version is None:
        raise NoModelError(
            f"no version of {model} is promoted: train it until its gates hold, or promote one by hand with "
            f"`zenml model version update {model} VERSION --stage staging`; or name one in `version`"
        )
    if found is None:
        raise NoModelError(
            f"{model} has no version {version!r} with a bundle; `zenml model version list` has all"
        )
    return found


def _find(model: str, version: str | ModelStages) -> Champion | None:
    try:
        found = Client().get_model_version(model, version)
    except KeyError:
        return None
    artifact = found.get_artifact(BUNDLE)
    return None if artifact is None else Champion(str(found.name), str(found.stage), artifact.load())


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
    own, theirs = Vocabulary.load(sequences.path), Vocabulary.load(champion.path / VOCABULARY)
    resident = recode(data, own, theirs, champion.manifest["max_length"], device)
    with TemporaryDirectory() as folder:
        scores = Path(folder) / "champion.parquet"
        score_part(champion.load_model(device), data, resident, "test", scores)
        evaluations = {"main": evaluation, "champion": evaluate(scores, evaluation.settings)}
        paths = {"main": main.scores, "champion": scores}
        return compare(evaluations, paths, "main").differences["champion"]
