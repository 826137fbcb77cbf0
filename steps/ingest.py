"""Raw log -> click log."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from zenml import step

from model_code.events.click_log import ClickLog
from model_code.events.engine import EngineSettings
from model_code.events.errors import IngestError
from model_code.events.ingest import ingest as ingest_events
from model_code.events.source import SourceSettings
from steps.artifacts import FolderMaterializer, output_folder
from steps.caching import cache_policy, code_version
from steps.caching import raw_version as current_version
from steps.measure import measured

version = partial(code_version, __name__)


@step(cache_policy=cache_policy(__name__), output_materializers=FolderMaterializer)
def ingest(
    source: SourceSettings, engine: EngineSettings, raw_version: str
) -> Annotated[ClickLog, "click_log"]:
    """Read, check and canonicalise the raw log.

    Args:
        source: where it is and how it is written.
        engine: how much of the machine to use.
        raw_version: version of the raw files; a new one makes the step run again.

    Raises:
        IngestError: when the files are another version by the end: what was read has no name then.
    """
    with measured() as notes:
        log = ingest_events(source, engine, output_folder())
        if current_version(source) != raw_version:
            raise IngestError(f"{source.path}: files changed while they were read; run again")
        repeated = len(log.manifest["repeated_files"])
        notes.update(log.manifest | {"repeated_files": repeated}, raw_version=raw_version)
    return log
