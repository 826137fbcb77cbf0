"""The gate after validation: it keeps the report, and stops the run on critical failures."""

from __future__ import annotations

from zenml import log_metadata, step
from zenml.logger import get_logger

from model_code.events.validation import ValidationFolder
from steps.reports import publish

logger = get_logger(__name__)


class InvalidLogError(Exception):
    """The log failed critical expectations; the message lists them and names the report."""


@step(enable_cache=False)
def require_valid(validation: ValidationFolder, lineage: dict[str, str]) -> None:
    """Publish the validation report, then raise if the log must not be trained on.

    Args:
        validation: of the log.
        lineage: versions of data and code.

    Raises:
        InvalidLogError: when a critical expectation failed.
    """
    report = publish(validation.report, lineage)
    result = validation.result
    failures = [outcome.description for outcome in result.critical_failures]
    log_metadata({"critical_failures": failures, "report": str(report)})
    if failures:
        listed = "".join(f"\n  - {failure}" for failure in failures)
        raise InvalidLogError(f"the log failed {len(failures)} critical expectations; see {report}{listed}")
    for outcome in result.failed:
        logger.warning("Not met: %s Seen: %s.", outcome.description, outcome.observed)
