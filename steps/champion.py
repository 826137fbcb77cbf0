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
CHECKSUM = "bundle_checksum"  # metadata of a version: that of its bundle


class NoChampionError(Exception):
    """A model without a promoted version; the message names it."""


class Champion(NamedTuple):
    """A promoted model version."""

    version: str
    stage: str
    bundle: Bundle
    checksum: str | None  # of the bundle, as registered; versions from before it was kept have none


def find_champion(model: str) -> Champion | None:
    """The version of ``model`` in production, else in staging, else none."""
    client = Client()
    for stage in (ModelStages.PRODUCTION, ModelStages.STAGING):
        try:
            version = client.get_model_version(model, stage)
        except KeyError:
            continue
        artifact = version.get_artifact(BUNDLE)
        if artifact is not None:
            checksum = version.run_metadata.get(CHECKSUM)
            known = None if checksum is None else str(checksum)
            return Champion(str(version.name), str(stage), artifact.load(), known)
    return None


def promoted(model: str) -> Champion:
    """What `find_champion` finds.

    Raises:
        NoChampionError: when it finds none.
    """
    champion = find_champion(model)
    if champion is None:
        raise NoChampionError(
            f"model {model!r}: none of its versions is in production or in staging. Train one that passes its"
            f" gates, or promote one by hand: zenml model version update {model} VERSION --stage staging"
        )
    return champion


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
