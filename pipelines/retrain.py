"""Watch, train a challenger if there is reason to, promote it if its gates hold.

``python -m pipelines.retrain``, or ``make retrain``.

A promotion here changes files of the checkout; what reaches the main branch is the champion for all.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from zenml.enums import ExecutionMode

from model_code.bundle import Bundle, BundleError
from model_code.evaluation.gates import Verdict
from model_code.events.errors import EmptyWindowError, IngestError
from model_code.files import replacing
from model_code.lineage import data_version
from model_code.monitoring.verdict import MonitoringVerdict
from model_code.registry.decision import WATCHED, Outcome, Retraining, Trigger, Watch, reasons_to_train
from model_code.registry.record import ChampionRecord, RegistryError
from model_code.settings import SettingsError, parse, settings
from pipelines.monitoring import monitoring_pipeline
from pipelines.preparation import read_log_config
from pipelines.registry import write_page
from pipelines.training import training_pipeline
from steps.caching import ROOT, code_version, files_version, raw_files
from steps.champion import BUNDLE
from steps.lineage import lineage
from steps.monitor import MonitoringFolder
from steps.registry.attempts import Attempts
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
    began, registry, model = time.time(), Registry(ROOT), _model_name(settings.training)
    registry.require_model(model)
    champion = registry.champion
    changed = _changed(champion) if champion and trigger == "push" else []
    known = reasons_to_train(trigger, forced, champion, changed)
    watch = _watch(settings, champion, model, must=not known)
    reasons = (*known, *watch.reasons_to_train)
    attempts, version = (
        Attempts(registry.folder / "monitoring" / "attempts.json"),
        _version(settings.training),
    )
    tried = None if forced else attempts.outcome(version)
    if tried or not reasons:
        tried = tried if reasons else None
        return Retraining("not_needed", model, champion, reasons, watch, tried, (), _pages(registry, began))
    bundle = _train(settings.training)
    verdict = parse(Verdict, bundle.manifest["verdict"], "verdict")
    if verdict.passed:
        champion = registry.promote(bundle, "; ".join(reasons))
    outcome: Outcome = "promoted" if verdict.passed else "refused"
    attempts.remember(version, outcome)
    pages = _pages(registry, began)
    return Retraining(outcome, model, champion, reasons, watch, None, verdict.checks, pages)


def _model_name(config: str | None) -> str:
    values = yaml.safe_load((ROOT / config).read_text(encoding="utf-8")) if config else {}
    model = values.get("model") or {}
    default = training_pipeline.configuration.model
    return str(model.get("name", default and default.name))


def _changed(champion: ChampionRecord) -> list[str]:
    """Keys of `WATCHED` whose files differ from those at the commit that the champion was trained from.

    All of them where git does not know that commit, which may have been squashed away.
    """
    commit = champion.lineage.get("git commit", "").split(" ")[0]
    try:
        return [
            name for name, paths in WATCHED.items() if git(ROOT, "diff", "--name-only", commit, "--", *paths)
        ]
    except RegistryError:
        return list(WATCHED)


def _watch(settings: RetrainSettings, champion: ChampionRecord | None, model: str, must: bool) -> Watch:
    """What monitoring says; if it fails that is the end, unless there is another reason to train."""
    if champion is None:
        return Watch(None, ("there is no champion to watch",))
    if settings.monitoring is None:
        return Watch(None, ("no monitoring is configured",))
    if _data_version(settings.training) == data_version(champion.lineage):
        return Watch(None, (f"nothing was logged since version {champion.version} was trained",))
    try:
        run = _run(monitoring_pipeline, settings.monitoring, model=model, log=settings.training)
    except EmptyWindowError:
        return Watch(None, (f"no event is later than the log of version {champion.version}",))
    except Exception as error:
        if must:
            raise
        return Watch(None, (f"monitoring failed: {type(error).__name__}: {error}",))
    folder: MonitoringFolder = run.steps["monitor"].outputs["monitoring"][0].load()
    verdict = MonitoringVerdict.read(folder.verdict)
    asks = [item for item in verdict.findings if item.status == "retrain"]
    words = tuple(f"{item.title} ({item.measure} {item.value:.3f})" for item in asks)
    return Watch(verdict.status, tuple(verdict.reasons), words)


def _run(pipeline: Any, config: str | None, **parameters: Any) -> Any:
    """Run a pipeline; the error of a step that fails comes out as it is."""
    path = str(ROOT / config) if config else None
    return pipeline.with_options(config_path=path, execution_mode=ExecutionMode.FAIL_FAST)(**parameters)


def _train(config: str | None) -> Bundle:
    """Run the training pipeline and return what it registered."""
    bundle: Bundle = _run(training_pipeline, config).steps["register"].outputs[BUNDLE][0].load()
    return bundle


def _data_version(config: str | None) -> str:
    """Version of the raw log, as lineage has it."""
    source = read_log_config(config).source
    files = raw_files(source)
    return data_version(lineage(source.path, files.values(), files_version(files)))


def _version(config: str | None) -> str:
    """Version of all that a challenger is made of."""
    text = (ROOT / config).read_text(encoding="utf-8") if config else ""
    parts = [_data_version(config), code_version("pipelines.training"), text]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _pages(registry: Registry, began: float) -> tuple[tuple[str, str], ...]:
    """The pages that were written since."""
    pages = sorted(REPORTS.glob("*_pipeline/*/*.html"), key=lambda page: page.stat().st_mtime)
    new = {page.stem: page.relative_to(ROOT).as_posix() for page in pages if page.stat().st_mtime >= began}
    return (*new.items(), ("registry", write_page(registry)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = _parse(arguments)
    try:
        values = yaml.safe_load((ROOT / options.config).read_text(encoding="utf-8")) or {}
        result = retrain(parse(RetrainSettings, values, options.config), options.trigger, options.force)
    except Exception as error:
        _append("GITHUB_STEP_SUMMARY", f"## Retraining failed\n\n{type(error).__name__}: {error}\n")
        if isinstance(error, (RegistryError, BundleError, SettingsError, IngestError, OSError)):
            raise SystemExit(str(error)) from None
        raise
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
    _append("GITHUB_STEP_SUMMARY", summary)
    _append("GITHUB_OUTPUT", said)


def _append(variable: str, text: str) -> None:
    """Add to the file that a workflow's runner names, if one runs this."""
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
