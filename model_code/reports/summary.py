"""The end of a run in the terminal, and the model card: the same facts as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_code.evaluation.comparison import Comparison
from model_code.evaluation.evaluate import Evaluation
from model_code.evaluation.gates import Verdict
from model_code.reports.log_change import LogChange
from model_code.reports.page import count, decimal, moment, probability, signed
from model_code.reports.text import aligned


@dataclass(frozen=True)
class RunFacts:
    """What a run of the training pipeline ends with.

    Attributes:
        name: of the registered model.
        version: of it.
        split: the split log's manifest.
        sequences: the prepared log's manifest.
        evaluations: by model label, the main one first.
        comparison: the main model against the others.
        verdict: of the gates.
        log: the log beside that of the version before.
        lineage: data version, git commit, settings and the like, as text by name.
        reports: paths of the reports, by title.
    """

    name: str
    version: str
    split: Mapping[str, Any]
    sequences: Mapping[str, Any]
    evaluations: Mapping[str, Evaluation]
    comparison: Comparison
    verdict: Verdict
    log: LogChange
    lineage: Mapping[str, str]
    reports: Mapping[str, str]

    @property
    def outcome(self) -> str:
        """The verdict in a few words."""
        return "promoted to staging" if self.verdict.passed else "not promoted"


def metrics_table(facts: RunFacts) -> list[list[str]]:
    """Header and one row a model: test metrics, and the main model's lead in AUC."""
    rows = [["model", "AUC", "interval", "Log Loss", "GAUC", "NE", "ECE", "main leads by", "p"]]
    for label, evaluation in facts.evaluations.items():
        metrics, interval = evaluation.metrics, evaluation.intervals.auc
        lead = facts.comparison.differences.get(label)
        rows.append(
            [
                label,
                decimal(metrics.auc),
                f"{decimal(interval.low)} to {decimal(interval.high)}",
                decimal(metrics.log_loss),
                decimal(metrics.gauc),
                decimal(metrics.normalized_entropy),
                decimal(metrics.calibration_error),
                "" if lead is None else signed(lead.auc.value),
                "" if lead is None else probability(lead.auc.p_value),
            ]
        )
    return rows


def terminal_summary(facts: RunFacts) -> str:
    """A screen of text: data, split, metrics, verdict, where the reports are."""
    balance, parts = facts.split["balance"], facts.sequences["parts"]
    raw = ", ".join(f"{count(rows)} {name.replace('_', ' ')}" for name, rows in balance.items() if rows)
    targets = ", ".join(f"{name} {count(part['targets'])}" for name, part in parts.items())
    lines = [
        f"{facts.name} version {facts.version}: {facts.outcome}",
        "",
        f"  log      {raw}",
        f"  users    {count(facts.sequences['users'])}, items {count(facts.sequences['items'])},"
        f" categories {count(facts.sequences['categories'])}",
        f"  split    test from {moment(facts.split['split_timestamp'])},"
        f" validation from {moment(facts.split['validation_timestamp'])}",
        f"  targets  {targets}",
        *_data(facts.log),
        "",
        *aligned(metrics_table(facts)),
        "",
        *(
            f"  {'passed' if check.passed else 'FAILED'}  {check.name}: {check.reason}"
            for check in facts.verdict.checks
        ),
        "",
        *(f"  {title:<10} {path}" for title, path in facts.reports.items()),
    ]
    return "\n".join(lines)


def _data(log: LogChange) -> list[str]:
    """Version of the data, and what changed since the version before."""
    lines = [f"  data     {log.now.data_version}"]
    if log.before:
        lines += [f"           {log.in_words()}"]
    if rows := log.rows():
        lines += ["", *aligned([("", f"version {log.version}", "this", "change"), *rows])]
    return lines


def model_card(facts: RunFacts, settings: Mapping[str, Any]) -> str:
    """The card that travels in the bundle, in Markdown."""
    header, *rows = metrics_table(facts)
    table = [header, ["---"] * len(header), *rows]
    lines = [
        f"# {facts.name}, version {facts.version}",
        "",
        f"A click-through-rate model ({next(iter(facts.evaluations))}), {facts.outcome}.",
        "It ranks candidate items for a user's recent history, and gives the probability of a click.",
        "",
        "## Data",
        "",
        f"- {count(facts.sequences['users'])} users, {count(facts.sequences['items'])} items; fitted on"
        f" events before {moment(facts.split['validation_timestamp'])}, tested on those from"
        f" {moment(facts.split['split_timestamp'])}.",
        f"- {facts.sequences['settings']['negatives_per_positive']} negatives a positive, drawn by"
        f" {facts.sequences['settings']['negative_sampling']}; probabilities refer to that base rate.",
        "- Items, categories and users that the fit part does not hold share one trained vector.",
        "",
        "## Test metrics",
        "",
        *("| " + " | ".join(row) + " |" for row in table),
        "",
        "## Gates",
        "",
        *(
            f"- {'passed' if check.passed else 'FAILED'} - {check.name}: {check.reason}"
            for check in facts.verdict.checks
        ),
        "",
        "## Settings and lineage",
        "",
        *(f"- {name}: {value}" for name, value in {**settings, **facts.lineage}.items()),
    ]
    return "\n".join(lines) + "\n"
