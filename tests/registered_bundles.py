"""Registered bundles without a model: what the registry reads of one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from model_code.bundle import FORMAT, NEEDED, Bundle

CHECKS = (("Margin over popularity", True), ("AUC not worse than the champion's", True))


def registered(
    folder: Path, auc: float = 0.7, checks: tuple[tuple[str, bool], ...] = CHECKS, **lineage: str
) -> Bundle:
    """Write one whose test AUC is ``auc``, with these gates, by name and outcome."""
    folder.mkdir(parents=True)
    metrics: dict[str, Any] = {"auc": auc, "log_loss": 0.3, "calibration_error": 0.01, "samples": 1000}
    interval = {"value": auc, "low": auc - 0.01, "high": auc + 0.01}
    found = {"deminet": {"metrics": metrics, "intervals": {"auc": interval}, "main_minus_this": None}}
    text = json.dumps(found)
    (folder / "metrics.json").write_text(text)
    (folder / "vocabulary").mkdir()
    for name in NEEDED:
        (folder / name).write_bytes(b"no model")
    manifest = {
        "format": FORMAT,
        "model": "deminet",
        "settings": {},
        "sizes": {"items": 2, "categories": 2, "users": 2},
        "max_length": 5,
        "registered": {"model": "shop", "version": "7", "run": f"run of {auc}"},
        "verdict": {
            "passed": all(passed for _, passed in checks),
            "checks": [
                {"name": name, "passed": passed, "value": 0.1, "threshold": 0.0, "reason": f"{name} was seen"}
                for name, passed in checks
            ],
        },
        "lineage": {"raw files": "v1", **lineage},
        "checksums": {
            "metrics.json": hashlib.sha256(text.encode()).hexdigest(),
            **dict.fromkeys(NEEDED, hashlib.sha256(b"no model").hexdigest()),
        },
    }
    (folder / "bundle.json").write_text(json.dumps(manifest))
    return Bundle(folder)
