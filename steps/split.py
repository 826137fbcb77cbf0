"""Click log -> split log: users with too few interactions leave, time cuts the rest."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from zenml import step

from model_code.events.click_log import ClickLog
from model_code.events.engine import EngineSettings
from model_code.events.split import SplitLog, SplitSettings
from model_code.events.split import split as split_events
from steps.artifacts import FolderMaterializer, output_folder
from steps.caching import cache_policy, code_version
from steps.measure import measured

version = partial(code_version, __name__)


@step(cache_policy=cache_policy(__name__), output_materializers=FolderMaterializer)
def split(log: ClickLog, settings: SplitSettings, engine: EngineSettings) -> Annotated[SplitLog, "split_log"]:
    """Filter users and cut fit, validation and test by time."""
    with measured() as notes:
        parts = split_events(log, settings, engine, output_folder())
        notes.update(parts.manifest)
    return parts
