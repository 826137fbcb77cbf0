"""A finished grid -> results, figures of the trained model, and the report."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

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
from model_code.lineage import data_version
from model_code.models.choice import ModelChoice
from model_code.reports.benchmark import render_benchmark
from model_code.sequences.data import SequenceFolder
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


class CellsFailedError(Exception):
    """Cells that failed, with their own messages; the report shows the others."""


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
    workers: int,
    lineage: dict[str, str],
    command: str,
) -> Annotated[BenchmarkFolder, "benchmark"]:
    """Write and publish what the grid found. Never cached: each run has its own folder of reports.

    Raises:
        CellsFailedError: after the report, when cells have failed.

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
        workers: cells trained at a time.
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
            **{key: data.manifest[key] for key in ("users", "items", "categories")},
            samples={
                part: len(samples) * (1 + data.settings.negatives_per_positive)
                for part, samples in data.parts.items()
            },
            preparation=preparation,
            budget={key: value for key, value in asdict(training).items() if key != "seed"},
            machine=_machine([cell.training for cell in cells], workers),
            commit=lineage.get("git commit", "unknown"),
            command=command,
            data_version=data_version(lineage),
            date=datetime.now(UTC).date().isoformat(),
        )
        results = summarise(cells, facts)
        results.write(folder.path / "results.json")
        analysis = _analysis(grid, sequences)
        if analysis is not None:
            analysis.write(folder.path / "analysis.json")
        write_rows(results, folder.path / "rows.csv")
        write_cells(results, folder.path / "cells.csv")
        (folder.path / "results.md").write_text(markdown(results), encoding="utf-8")
        render_benchmark(results, analysis, folder.path / "benchmark.html")
        for file in sorted(folder.path.iterdir()):
            publish(file, lineage)
        report = (run_folder() / "benchmark.html").relative_to(ROOT)
        logger.info("\n%s\n\n  report  %s\n", terminal_table(results), report)
        notes.update(report=str(report), cells=len(cells))
    if failures := grid.failures:
        listed = "".join(f"\n  {name}: {why}" for name, why in sorted(failures.items()))
        raise CellsFailedError(f"{len(failures)} cells failed, the others are kept:{listed}")
    return folder


def _analysis(grid: GridFolder, sequences: SequenceFolder) -> Analysis | None:
    """Figures of the trained model, or nothing: a log too small for them must not cost the tables."""
    try:
        return analyse(grid.bundle, sequences.path, AnalysisSettings())
    except Exception as error:
        logger.warning("No figures of the trained model: %s: %s", type(error).__name__, error)
        return None


def _machine(trainings: list[dict[str, Any]], workers: int) -> Machine:
    """Where the cells were trained: cells of earlier runs may come from another machine."""

    def all_of(name: str) -> str:
        return ", ".join(sorted({str(training[name]) for training in trainings}))

    return Machine(
        processor=all_of("processor"),
        cores=os.cpu_count() or 1,
        threads=max((training["threads"] for training in trainings), default=0),
        workers=workers,
        torch=all_of("torch"),
        device=all_of("device"),
    )
