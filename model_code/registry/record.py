"""The champion's record: a small file that git keeps, so that its history is the history of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from model_code.bundle import Bundle, BundleError
from model_code.evaluation.gates import Check
from model_code.files import read_json, write_json
from model_code.settings import parse, settings

METRICS = "metrics.json"


class RegistryError(Exception):
    """What was asked of the registry cannot be done; the message says why, and what to do."""


@settings
class ChampionRecord:
    """The promoted version of a model.

    Attributes:
        model: name of the registered model.
        version: counts the promotions of this registry from 1; a roll-back brings an old number back.
        run: the pipeline run that trained it.
        action: what made it the champion.
        reason: why, in a sentence.
        bundle_checksum: SHA-256 of the bundle's manifest, which holds those of all its other files.
        lineage: versions of data and code that it was trained on.
        metrics: of each model of its run on the test part, by label, the main one first.
        checks: the gates that it passed.
    """

    model: str
    version: int
    run: str
    action: Literal["promotion", "rollback"]
    reason: str
    bundle_checksum: str
    lineage: Mapping[str, str]
    metrics: Mapping[str, Mapping[str, Any]]
    checks: tuple[Check, ...]

    @property
    def test_metrics(self) -> Mapping[str, Any]:
        """Metrics of the champion itself."""
        found: Mapping[str, Any] = next(iter(self.metrics.values()))
        return found

    def write(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> ChampionRecord:
        """Read what `write` wrote; raises `SettingsError` on anything else."""
        return parse(cls, read_json(path), str(path))

    def check(self, bundle: Bundle) -> None:
        """Make sure that ``bundle`` is the recorded one.

        Raises:
            BundleError: when it is another, or is not there.
        """
        if not bundle.path.is_dir():
            raise BundleError(f"{bundle.path}: is not there; run `dvc pull`")
        bundle.verify()
        if bundle.checksum != self.bundle_checksum:
            raise BundleError(
                f"{bundle.path}: is not the bundle of version {self.version} in the champion's record;"
                " run `dvc pull`, or restore both from one commit"
            )


@dataclass(frozen=True)
class Change:
    """One change of the champion's record, as git has it.

    Attributes:
        commit: its hash; empty for a change that is not committed.
        who: author, or who merged it.
        when: ISO 8601.
        why: subject of the commit.
        record: the record from then on; None for a demotion.
    """

    commit: str
    who: str
    when: str
    why: str
    record: ChampionRecord | None


def promotion(bundle: Bundle, version: int, reason: str) -> ChampionRecord:
    """Make the record of a registered bundle.

    Args:
        bundle: as the training pipeline registers it, with its metrics and the verdict of its gates.
        version: its number in this registry.
        reason: why it is promoted.

    Raises:
        RegistryError: when it was not registered, or a gate failed: a failed gate never changes a stage.
        BundleError: when it is not whole.
    """
    bundle.verify()
    manifest = bundle.manifest
    if "verdict" not in manifest:
        raise RegistryError(f"{bundle.path}: has no verdict; promote what the training pipeline registered")
    checks = tuple(parse(Check, check, "verdict.checks") for check in manifest["verdict"]["checks"])
    failed = [f"{check.name}: {check.reason}" for check in checks if not check.passed]
    if failed or not manifest["verdict"]["passed"]:
        raise RegistryError(f"{bundle.path}: gates failed, so it is not promoted: {'; '.join(failed)}")
    return ChampionRecord(
        model=manifest["registered"]["model"],
        version=version,
        run=manifest["registered"]["run"],
        action="promotion",
        reason=reason,
        bundle_checksum=bundle.checksum,
        lineage=manifest["lineage"],
        metrics={
            label: {**found["metrics"], "auc_interval": found["intervals"]["auc"]}
            for label, found in read_json(bundle.path / METRICS).items()
        },
        checks=checks,
    )
