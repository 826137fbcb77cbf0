"""From finished cells to results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from model_code.benchmark.cell import CellResult
from model_code.benchmark.facts import Asked, Facts
from model_code.benchmark.paper import BASELINES, DEMINET, EXPERIMENTS, POPULARITY, Experiment
from model_code.benchmark.results import (
    Adjusted,
    CellNumbers,
    Family,
    Gap,
    Measures,
    Pass,
    Results,
    Row,
    TestPart,
    others_of,
)
from model_code.evaluation.scores import ScoresError
from model_code.evaluation.seeds import SeedSummary, compare_seeds, holm
from model_code.training.loop import kept_pass

SAME_WEIGHTS = ("seed", "device", "processes", "threads", "checkpoint_seconds")  # no part of the budget

Cells = Mapping[str, Sequence[CellResult]]  # by label, in the order of the seeds


def summarise(cells: Sequence[CellResult], facts: Facts) -> Results:
    """Put the cells that have run into rows and compare these.

    Args:
        cells: any part of the grid that ``facts`` asks for; rows without cells stay empty.
        facts: what was asked for, and how.

    Raises:
        ValueError: a cell that was not asked for, two of one row and seed, or evaluations under different
            settings, whose draws of users cannot be paired.
        ScoresError: cells that were scored on different samples.
    """
    by_label = _by_label(cells, facts)
    _check_same_samples(cells)
    numbers = {label: [_numbers(cell) for cell in own] for label, own in by_label.items()}
    best = _best_baseline(numbers)
    rows = tuple(_row(asked, by_label, numbers, best, facts) for asked in facts.asked)
    return Results(
        facts=facts,
        test=_test_part(cells[0]) if cells else None,
        rows=rows,
        cells=tuple(cell for own in numbers.values() for cell in own),
        best_baseline=best,
        families={experiment.key: _family(experiment, rows) for experiment in EXPERIMENTS},
        attention_alone=_gap(by_label, "wo_ssl", "wo_dha"),
    )


def _by_label(cells: Sequence[CellResult], facts: Facts) -> Cells:
    by_label: dict[str, dict[int, CellResult]] = {asked.label: {} for asked in facts.asked}
    for cell in cells:
        if cell.label not in by_label or cell.seed not in facts.seeds:
            raise ValueError(f"cell {cell.label}, seed {cell.seed}: is not one of those asked for")
        if cell.seed in by_label[cell.label]:
            raise ValueError(f"cell {cell.label}, seed {cell.seed}: is there twice")
        by_label[cell.label][cell.seed] = cell
    return {
        label: [own[seed] for seed in facts.seeds if seed in own] for label, own in by_label.items() if own
    }


def _check_same_samples(cells: Sequence[CellResult]) -> None:
    for cell in cells[1:]:
        own, first = cell.evaluation, cells[0].evaluation
        names = f"{cell.label}, seed {cell.seed}, and {cells[0].label}, seed {cells[0].seed}"
        if own.samples_fingerprint != first.samples_fingerprint:
            raise ScoresError(f"{names}, were not scored on the same samples; score both on one prepared log")
        if own.settings != first.settings:
            raise ValueError(f"{names}, were evaluated under different settings; evaluate both anew")


def _test_part(cell: CellResult) -> TestPart:
    metrics, settings = cell.evaluation.metrics, cell.evaluation.settings
    return TestPart(
        samples=metrics.samples,
        positives=metrics.positives,
        users=metrics.users,
        confidence=settings.confidence,
        replicates=settings.bootstrap_replicates,
    )


def _numbers(cell: CellResult) -> CellNumbers:
    metrics, last, kept = cell.evaluation.metrics, cell.history[-1], kept_pass(cell.history)
    return CellNumbers(
        label=cell.label,
        seed=cell.seed,
        auc=metrics.auc,
        log_loss=metrics.log_loss,
        gauc=metrics.gauc,
        normalized_entropy=metrics.normalized_entropy,
        calibration_error=metrics.calibration_error,
        validation_auc=kept["validation_auc"],
        best_pass=kept["epoch"],
        seconds=last["seconds"],
        # A record counts the samples of one process.
        samples_per_second=cell.training["processes"] * last["samples"] / max(last["seconds"], 1e-9),
        parameters=cell.training["parameters"],
        passes=tuple(
            Pass(
                number=record["epoch"],
                loss=record["loss_cross_entropy"],
                validation_auc=record["validation_auc"],
                validation_log_loss=record["validation_log_loss"],
            )
            for record in cell.history
        ),
    )


def _best_baseline(numbers: Mapping[str, Sequence[CellNumbers]]) -> str | None:
    """The baseline with the highest mean validation AUC, of those that have run."""
    means = {
        label: fmean(cell.validation_auc for cell in numbers[label])
        for label in BASELINES
        if label in numbers
    }
    return max(means, key=lambda label: means[label], default=None)


def _row(
    asked: Asked, cells: Cells, numbers: Mapping[str, Sequence[CellNumbers]], best: str | None, facts: Facts
) -> Row:
    own = cells.get(asked.label, ())
    used = own[0].training["settings"] if own else {}
    return Row(
        label=asked.label,
        settings=asked.settings,
        training={
            name: value
            for name, value in used.items()
            if name in facts.budget and name not in SAME_WEIGHTS and value != facts.budget[name]
        },
        tuned=asked.tuned,
        seeds=tuple(cell.seed for cell in own),
        measures=_measures(numbers[asked.label]) if own else None,
        over_baseline=_gap(cells, asked.label, best),
        deminet_lead=_gap(cells, DEMINET, asked.label),
    )


def _measures(cells: Sequence[CellNumbers]) -> Measures:
    gaucs = [cell.gauc for cell in cells if cell.gauc is not None]
    return Measures(
        auc=SeedSummary.of([cell.auc for cell in cells]),
        log_loss=SeedSummary.of([cell.log_loss for cell in cells]),
        gauc=SeedSummary.of(gaucs) if gaucs else None,
        normalized_entropy=SeedSummary.of([cell.normalized_entropy for cell in cells]),
        calibration_error=SeedSummary.of([cell.calibration_error for cell in cells]),
        validation_auc=SeedSummary.of([cell.validation_auc for cell in cells]),
        best_pass=SeedSummary.of([cell.best_pass for cell in cells]),
        seconds=SeedSummary.of([cell.seconds for cell in cells]),
        samples_per_second=SeedSummary.of([cell.samples_per_second for cell in cells]),
        parameters=cells[0].parameters,
    )


def _gap(cells: Cells, main: str, other: str | None) -> Gap | None:
    """The first minus the second over the seeds that both have; None where that is none."""
    if other is None or main == other or main not in cells or other not in cells:
        return None
    by_seed = [{cell.seed: cell.evaluation for cell in cells[label]} for label in (main, other)]
    shared = [seed for seed in by_seed[0] if seed in by_seed[1]]
    if not shared:
        return None
    ours, others = ([own[seed] for seed in shared] for own in by_seed)
    return Gap(auc=compare_seeds(ours, others, "auc"), log_loss=compare_seeds(ours, others, "log_loss"))


def _family(experiment: Experiment, rows: Sequence[Row]) -> Family:
    labels = {*experiment.labels, *others_of(experiment, rows)} - {POPULARITY}  # which is no hypothesis
    own = [row for row in rows if row.label in labels]
    return Family(
        over_baseline=_adjusted(own, lambda row: row.over_baseline),
        deminet_lead=_adjusted(own, lambda row: row.deminet_lead),
    )


def _adjusted(rows: Sequence[Row], gap_of: Callable[[Row], Gap | None]) -> dict[str, Adjusted]:
    gaps = {row.label: gap for row in rows if (gap := gap_of(row)) is not None}
    auc = holm([gap.auc.p_value for gap in gaps.values()])
    log_loss = holm([gap.log_loss.p_value for gap in gaps.values()])
    return {label: Adjusted(*both) for label, both in zip(gaps, zip(auc, log_loss, strict=True), strict=True)}
