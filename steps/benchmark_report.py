"""A finished grid -> results, figures of the trained model, and the report."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import torch
from zenml import step
from zenml.logger import get_logger

from model_code.analysis.analyse import Analysis, AnalysisSettings, analyse
from model_code.benchmark.csv_files import write_cells, write_rows
from model_code.benchmark.facts import Asked, Facts, Machine
from model_code.benchmark.kept import GridFolder
from model_code.benchmark.markdown import markdown, terminal_table
from model_code.benchmark.paper import PaperDataset
from model_code.benchmark.results import Results
from model_code.benchmark.summarise import summarise
from model_code.events.split import SplitLog
from model_code.files import Folder
from model_code.models.choice import ModelChoice
from model_code.reports.benchmark import render_benchmark
from model_code.sequences.data import SequenceFolder
from model_code.training.device import processor_name
from model_code.training.settings import TrainingSettings
from steps.artifacts import FolderMaterializer, output_folder
from steps.caching import ROOT
from steps.measure import measured
from steps.reports import publish, run_folder

logger = get_logger(__name__)


class BenchmarkFolder(Folder):
    """A handle to a benchmark's results and report."""

    @property
    def results(self) -> Results:
        """All numbers."""
        return Results.read(self.path / "results.json")

    @property
    def analysis(self) -> Analysis:
        """What Figures 4 and 5 and the gap statistic show."""
        return Analysis.read(self.path / "analysis.json")


@step(enable_cache=False, output_materializers=FolderMaterializer)
def benchmark_report(
    grid: GridFolder,
    sequences: SequenceFolder,
    split_log: SplitLog,
    name: str,
    choices: list[ModelChoice],
    tuned: list[str],
    seeds: tuple[int, ...],
    training: TrainingSettings,
    paper_dataset: PaperDataset | None,
    preparation: dict[str, Any],
    lineage: dict[str, str],
    command: str,
) -> Annotated[BenchmarkFolder, "benchmark"]:
    """Write and publish what the grid found. Never cached: each run has its own folder of reports.

    Args:
        grid: the finished cells.
        sequences: what they were trained on.
        split_log: for the counts of the log.
        name: what the report calls the log.
        choices: the models, in the order of the tables.
        tuned: labels of those whose settings a search has chosen.
        seeds: of training.
        training: what all models shared.
        paper_dataset: which of the paper's data sets the log is, if it is one.
        preparation: settings of split and sequences, by dotted name.
        lineage: versions of data and code.
        command: that started the run.
    """
    with measured() as notes:
        folder = BenchmarkFolder(output_folder())
        folder.path.mkdir(parents=True)
        cells, data = grid.results, sequences.load()
        facts = Facts(
            dataset=name,
            paper_dataset=paper_dataset,
            asked=tuple(Asked.of(choice, choice.label in tuned) for choice in choices),
            seeds=seeds,
            **{key: split_log.manifest[key] for key in ("users", "items", "categories")},
            samples={
                part: len(samples) * (1 + data.settings.negatives_per_positive)
                for part, samples in data.parts.items()
            },
            preparation=preparation,
            budget={key: value for key, value in asdict(training).items() if key != "seed"},
            machine=_machine(cells[0].training),
            commit=lineage.get("git commit", "unknown"),
            command=command,
            data_version=lineage.get("data.dvc md5", lineage["raw files"]),
            date=datetime.now(UTC).date().isoformat(),
        )
        results = summarise(cells, facts)
        analysis = analyse(grid.bundle, sequences.path, AnalysisSettings())
        results.write(folder.path / "results.json")
        analysis.write(folder.path / "analysis.json")
        write_rows(results, folder.path / "rows.csv")
        write_cells(results, folder.path / "cells.csv")
        (folder.path / "results.md").write_text(markdown(results), encoding="utf-8")
        render_benchmark(results, analysis, folder.path / "benchmark.html")
        for file in sorted(folder.path.iterdir()):
            publish(file)
        report = (run_folder() / "benchmark.html").relative_to(ROOT)
        logger.info("\n%s\n\n  report  %s\n", terminal_table(results), report)
        notes.update(report=str(report), cells=len(cells))
    return folder


def _machine(training: dict[str, Any]) -> Machine:
    return Machine(
        processor=processor_name(),
        cores=os.cpu_count() or 1,
        threads=training["threads"],
        torch=torch.__version__,
        device=training["device"],
    )
