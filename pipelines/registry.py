"""The registry from the command line: ``python -m pipelines.registry page | rollback | demote``."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from typing import Any

from zenml.client import Client
from zenml.enums import ModelStages

from model_code.bundle import BundleError
from model_code.registry.record import RegistryError
from model_code.reports.index import render_index
from model_code.reports.registry import render_registry
from steps.caching import ROOT
from steps.registry.registry import Registry
from steps.reports import REPORTS

logger = logging.getLogger(__name__)

PAGE = REPORTS / "registry.html"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = _parse(arguments)
    registry = Registry(ROOT)
    try:
        if options.command == "rollback":
            record = registry.roll_back(options.to, options.why)
            logger.info("%s version %d is the champion again; push the commit", record.model, record.version)
        elif options.command == "demote":
            record = registry.demote(options.why)
            logger.info("%s version %d is demoted; push the commit", record.model, record.version)
        logger.info("%s", write_page(registry))
    except (RegistryError, BundleError) as error:
        raise SystemExit(str(error)) from None


def write_page(registry: Registry) -> str:
    """Write the registry page and return its path in the project."""
    changes = registry.changes()
    models = sorted({change.record.model for change in changes if change.record})
    runs = {change.record.run for change in changes if change.record}
    render_registry(changes, [name for model in models for name in _staging(model, runs)], PAGE)
    render_index(REPORTS)
    return PAGE.relative_to(ROOT).as_posix()


def _staging(model: str, known: set[str]) -> list[str]:
    """The version of ``model`` that passed its gates here and waits, unless the registry has its run."""
    try:
        version = Client().get_model_version(model, ModelStages.STAGING)
    except KeyError:
        return []
    lineage: Any = version.run_metadata.get("lineage") or {}
    return [] if lineage.get("run") in known else [f"{model} {version.name}"]


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipelines.registry", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("page", help="write reports/registry.html")
    rollback = commands.add_parser(
        "rollback", help="make an earlier version the champion again, and commit it"
    )
    rollback.add_argument("--to", type=int, metavar="VERSION", help="default: the one before the champion")
    demote = commands.add_parser("demote", help="take the champion down, and commit it")
    for command in (rollback, demote):
        command.add_argument("--why", required=True, help="the reason; it is kept in git")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
