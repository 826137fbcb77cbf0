"""The promoted version of the model, as the model control plane knows it."""

from __future__ import annotations

from typing import NamedTuple

from zenml.client import Client
from zenml.enums import ModelStages

from model_code.bundle import Bundle

BUNDLE = "registered_bundle"  # name of the artifact that registration leaves with a version


class Champion(NamedTuple):
    """A promoted model version."""

    version: str
    stage: str
    bundle: Bundle


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
            return Champion(str(version.name), str(stage), artifact.load())
    return None
