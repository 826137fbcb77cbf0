"""A click log and the promoted model -> scores of many users, in Parquet."""

from __future__ import annotations

from typing import Annotated

from zenml import ArtifactConfig, step
from zenml.logger import get_logger

from model_code.batch_scoring.run import BatchScores, score_log
from model_code.batch_scoring.settings import BatchScoringSettings
from model_code.events.click_log import ClickLog
from model_code.events.engine import EngineSettings
from model_code.training.device import resolve_device
from steps.artifacts import FolderMaterializer, output_folder
from steps.champion import require_version
from steps.measure import measured
from steps.scoring_progress import ScoringBar

logger = get_logger(__name__)


@step(enable_cache=False, output_materializers=FolderMaterializer)
def score(
    clicks: ClickLog, model: str, settings: BatchScoringSettings, engine: EngineSettings, device: str
) -> Annotated[BatchScores, ArtifactConfig(name="batch_scores")]:
    """Score users and candidates with the version of ``model`` that is promoted.

    Never cached: another version may have been promoted.
    """
    with measured() as notes, ScoringBar() as bar:
        champion = require_version(model, None)
        scores = score_log(
            clicks, champion.bundle, settings, engine, output_folder(), resolve_device(device), bar
        )
        counts = scores.manifest
        notes.update(counts, model=model, version=champion.version, stage=champion.stage)
        logger.info(
            "%s version %s (%s): %s scores of %s users, %s rows, %s users without a score\n  %s\n  %s",
            *(model, champion.version, champion.stage),
            *(f"{counts[name]:,}" for name in ("scores", "scored_users", "rows")),
            f"{counts['users'] - counts['scored_users']:,}",
            *(scores.scores, scores.unscored),
        )
    return scores
