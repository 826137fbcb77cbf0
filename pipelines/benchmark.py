"""The benchmark pipeline: the paper's experiments, models by seeds, on one prepared log."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

from zenml import pipeline

from model_code.benchmark.paper import PaperDataset
from model_code.benchmark.settings import BenchmarkSettings, cells, plan
from model_code.evaluation.evaluate import EvaluationSettings
from model_code.settings import require
from model_code.tuning.result import read_tuned
from pipelines.parameters import flat, from_yaml
from pipelines.preparation import prepare, read_log_config
from steps.benchmark_report import benchmark_report
from steps.caching import ROOT
from steps.run_grid import run_grid

Benchmark = Annotated[BenchmarkSettings, from_yaml(BenchmarkSettings, "benchmark")]
EvaluationOf = Annotated[EvaluationSettings, from_yaml(EvaluationSettings, "evaluation")]


@pipeline
def benchmark_pipeline(
    log: str | None = None,
    benchmark: Benchmark = BenchmarkSettings(),
    tuned: str | None = None,
    evaluation: EvaluationOf = EvaluationSettings(),
    paper_dataset: PaperDataset | None = None,
) -> None:
    """Prepare a log, train and evaluate every model with every seed, report.

    Args:
        log: the training pipeline's configuration of the log, relative to the project; ``None`` is the demo
            log. Its sequences come from the cache where the training pipeline has built them.
        benchmark: which models and seeds.
        tuned: YAML file of settings that the tuning pipeline has chosen, relative to the project.
        evaluation: how models are measured.
        paper_dataset: which of the paper's data sets the log is, if it is the whole of one: the report then
            shows the paper's own figures beside.
    """
    config = read_log_config(log)
    require(tuned is None or (ROOT / tuned).is_file(), "tuned", tuned, "a YAML file in the project, or null")
    rows = plan(benchmark, config.training, read_tuned(ROOT / tuned) if tuned else {})
    prepared = prepare(config)
    grid = run_grid(prepared.data, cells(rows, benchmark.seeds), evaluation, benchmark.workers)
    benchmark_report(
        grid,
        prepared.data,
        prepared.split_log,
        config.name,
        [row.choice for row in rows],
        [row.choice.label for row in rows if row.tuned],
        benchmark.seeds,
        config.training,
        paper_dataset,
        flat(split=config.split, sequences=config.sequences),
        benchmark.workers,
        prepared.lineage,
        shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    )
