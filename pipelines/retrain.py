"""Watch, train a challenger if there is reason to, promote it if its gates hold.

``python -m pipelines.retrain``, or ``make retrain``.

A promotion here changes files of the checkout; what reaches the main branch is the champion for all.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml

from model_code.bundle import Bundle, BundleError
from model_code.evaluation.gates import Check
from model_code.events.errors import IngestError
from model_code.files import replacing
from model_code.monitoring.verdict import MonitoringVerdict
from model_code.registry.decision import WATCHED, Retraining, Trigger, Watch, reasons_to_train
from model_code.registry.record import ChampionRecord, RegistryError
from model_code.settings import SettingsError, parse, settings
from pipelines.monitoring import monitoring_pipeline
from pipelines.preparation import read_log_config
from pipelines.registry import write_page
from pipelines.training import training_pipeline
from steps.caching import ROOT, raw_version
from steps.lineage import lineage
from steps.monitor import MonitoringFolder
from steps.registry.registry import Registry
from steps.registry.tools import git
from steps.reports import REPORTS

logger = logging.getLogger(__name__)

OUT = REPORTS / "retrain"
EVENTS = {"workflow_dispatch": "manual", "repository_dispatch": "drift"}  # as GitHub names them


@settings
class RetrainSettings:
    """What is watched and trained.

    Attributes:
        training: the training pipeline's configuration, relative to the project; None for the demo log.
        monitoring: the monitoring pipeline's; None to train without watching.
    """

    training: str | None = None
    monitoring: str | None = None


def retrain(settings: RetrainSettings, trigger: Trigger, forced: bool) -> Retraining:
    """Do all of it once, on the data and code of this checkout."""
    registry = Registry(ROOT)
    model = _model_name(settings.training)
    champion = registry.champion
    champion = champion if champion and champion.model == model else None
    changed = _changed(champion)
    watch = _watch(settings, champion)
    reasons = tuple(reasons_to_train(trigger, forced, champion, changed, watch))
    if not reasons:
        return Retraining("not_needed", model, champion, reasons, watch, reports=_pages(registry))
    bundle = _train(settings.training)
    checks = tuple(parse(Check, check, "verdict") for check in bundle.manifest["verdict"]["checks"])
    passed = bundle.manifest["verdict"]["passed"]
    if passed:
        champion = registry.promote(bundle, "; ".join(reasons))
    return Retraining(
        "promoted" if passed else "refused", model, champion, reasons, watch, checks, _pages(registry)
    )


def _model_name(config: str | None) -> str:
    values = yaml.safe_load((ROOT / config).read_text(encoding="utf-8")) if config else {}
    model = values.get("model") or {}
    default = training_pipeline.configuration.model
    return str(model.get("name", default and default.name))


def _changed(champion: ChampionRecord | None) -> list[str]:
    """Keys of `WATCHED` whose files differ from those at the commit that the champion was trained from."""
    if champion is None:
        return []
    commit = champion.lineage.get("git commit", "").split(" ")[0]
    return [name for name, paths in WATCHED.items() if git(ROOT, "diff", "--name-only", commit, "--", *paths)]


def _watch(settings: RetrainSettings, champion: ChampionRecord | None) -> Watch:
    if champion is None:
        return Watch(None, ("there is no champion to watch",))
    if settings.monitoring is None:
        return Watch(None, ("no monitoring is configured",))
    if not _new_data(settings.training, champion):
        return Watch(None, (f"nothing was logged since version {champion.version} was trained",))
    run: Any = monitoring_pipeline.with_options(config_path=str(ROOT / settings.monitoring))()
    folder: MonitoringFolder = run.steps["monitor"].outputs["monitoring"][0].load()
    verdict = MonitoringVerdict.read(folder.verdict)
    return Watch(verdict.status, tuple(verdict.reasons))


def _new_data(config: str | None, champion: ChampionRecord) -> bool:
    source = read_log_config(config).source
    now = lineage(source.path, raw_version(source))
    known = "data.dvc md5" if "data.dvc md5" in now else "raw files"
    return now[known] != champion.lineage.get(known)


def _train(config: str | None) -> Bundle:
    """Run the training pipeline and return what it registered."""
    run: Any = training_pipeline.with_options(config_path=str(ROOT / config) if config else None)()
    bundle: Bundle = run.steps["register"].outputs["registered_bundle"][0].load()
    return bundle


def _pages(registry: Registry) -> tuple[tuple[str, str], ...]:
    newest = sorted(REPORTS.glob("*_pipeline/*/*.html"), key=lambda page: page.stat().st_mtime)
    latest = {page.stem: page.relative_to(ROOT).as_posix() for page in newest}
    return (*latest.items(), ("registry", write_page(registry)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = _parse(arguments)
    try:
        values = yaml.safe_load(Path(options.config).read_text(encoding="utf-8")) or {}
        result = retrain(parse(RetrainSettings, values, options.config), options.trigger, options.force)
    except (RegistryError, BundleError, SettingsError, IngestError, OSError) as error:
        raise SystemExit(str(error)) from None
    _tell(result)


def _tell(result: Retraining) -> None:
    """Write what came of it for people, and for the workflow that called."""
    summary = result.markdown()
    with replacing(OUT) as folder:
        folder.mkdir()
        (folder / "summary.md").write_text(summary, encoding="utf-8")
        (folder / "message.txt").write_text(f"{result.headline}\n\n{summary}", encoding="utf-8")
    logger.info("\n%s", summary)
    version = result.champion.version if result.champion else 0
    said = f"outcome={result.outcome}\nbranch=champion/{result.model}-{version}\ntitle={result.headline}\n"
    for variable, text in (("GITHUB_STEP_SUMMARY", summary), ("GITHUB_OUTPUT", said)):
        if file := os.environ.get(variable):
            with Path(file).open("a", encoding="utf-8") as opened:
                opened.write(text)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipelines.retrain", description=__doc__)
    parser.add_argument("--config", default="configs/retrain/demo.yaml", help="what is watched and trained")
    parser.add_argument(
        "--trigger",
        type=lambda name: EVENTS.get(name, name),
        choices=get_args(Trigger),
        default="manual",
        help="what started this; GitHub's names of events do too",
    )
    parser.add_argument("--force", action="store_true", help="train a challenger in any case")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
