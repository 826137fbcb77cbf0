"""Whether a way of training costs accuracy: ``python -m benchmarks.accuracy amazon_grocery``.

Trains each model with each of `WAYS` and several seeds on a real log (`benchmarks.real_logs`) and prints the
best validation AUC: mean and standard deviation over the seeds, and the paired difference to the first way.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks import real_logs
from model_code.models.choice import ModelChoice
from model_code.reports.text import table
from model_code.training.job import Job
from model_code.training.launch import run
from model_code.training.settings import TrainingSettings

WAYS: dict[str, dict[str, Any]] = {
    "batch 256, whole tables": {"row_updates_from": None},
    "batch 256, rows": {"row_updates_from": 1},
    "batch 4096, rows": {"row_updates_from": 1, "batch_size": 4096, "learning_rate": 8e-3},
}


def main() -> None:
    """Train all of it and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", help="name of a config: amazon_grocery, globo")
    parser.add_argument("--models", nargs="+", default=["din", "deminet"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=30_000, help="positives a pass")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if why := real_logs.missing(arguments.log):
        parser.exit(0, f"skipped: {why}\n")
    with tempfile.TemporaryDirectory() as folder:
        real_logs.prepare(arguments.log, Path(folder))
        results = {
            model: {way: _over_seeds(model, way, Path(folder), arguments) for way in WAYS}
            for model in arguments.models
        }
    rows = [_row(model, way, aucs, ways) for model, ways in results.items() for way, aucs in ways.items()]
    print(table(["model", "way", "validation AUC", "deviation", "difference", "its deviation"], rows))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2))


def _over_seeds(model: str, way: str, folder: Path, arguments: argparse.Namespace) -> list[float]:
    training: dict[str, Any] = {
        "samples_per_epoch": arguments.samples,
        "epochs": arguments.epochs,
        "patience": arguments.epochs,  # all passes
        "threads": arguments.threads,
        **WAYS[way],
    }
    aucs = []
    for seed in range(1, arguments.seeds + 1):
        aucs.append(_train(model, TrainingSettings(**training, seed=seed), folder / "sequences"))
        print(f"{model}, {way}, seed {seed}: {aucs[-1]:.4f}", flush=True)
    return aucs


def _row(model: str, way: str, aucs: list[float], ways: Mapping[str, list[float]]) -> list[str]:
    first = next(iter(ways.values()))
    gaps = [auc - other for auc, other in zip(aucs, first, strict=True)]
    spread = stdev if len(aucs) > 1 else lambda _: float("nan")
    return [
        model,
        way,
        f"{mean(aucs):.4f}",
        f"{spread(aucs):.4f}",
        f"{mean(gaps):+.4f}",
        f"{spread(gaps):.4f}",
    ]


def _train(model: str, training: TrainingSettings, data: Path) -> float:
    """Best validation AUC."""
    with tempfile.TemporaryDirectory() as out:
        job = Job(
            choice=ModelChoice(name=model),
            training=training,
            data=str(data),
            out=f"{out}/bundle",
            checkpoint=f"{out}/checkpoint",
            run="accuracy",
        )
        history = run(job, lambda progress: None).history
    return float(max(record["validation_auc"] for record in history))


if __name__ == "__main__":
    main()
