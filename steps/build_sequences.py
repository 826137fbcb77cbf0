"""Split log -> sequences: vocabularies, histories, samples and stored negatives."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from zenml import step

from model_code.events.engine import EngineSettings
from model_code.events.split import SplitLog
from model_code.sequences.build import build
from model_code.sequences.data import SequenceFolder
from model_code.sequences.settings import SequenceSettings
from steps.artifacts import FolderMaterializer, output_folder
from steps.caching import cache_policy, code_version
from steps.measure import measured

version = partial(code_version, __name__)


@step(cache_policy=cache_policy(__name__), output_materializers=FolderMaterializer)
def build_sequences(
    split_log: SplitLog, settings: SequenceSettings, engine: EngineSettings
) -> Annotated[SequenceFolder, "sequences"]:
    """Build the arrays that training and evaluation gather from."""
    with measured() as notes:
        folder = output_folder()
        data = build(split_log, settings, engine, folder)
        notes.update(data.manifest)
    return SequenceFolder(folder)
