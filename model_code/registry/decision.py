"""Whether to train a challenger, and what came of it, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from model_code.evaluation.gates import Check
from model_code.registry.record import ChampionRecord

Outcome = Literal["promoted", "refused", "not_needed"]
Trigger = Literal["push", "schedule", "manual", "drift"]
WATCHED = {  # what a model is made of, by path in the project
    "data": ("data.dvc",),
    "configuration": ("configs",),
    "code": ("model_code", "steps", "pipelines", "pyproject.toml", "constraints.txt"),
}


@dataclass(frozen=True)
class Watch:
    """What monitoring found in the newest window.

    Attributes:
        verdict: of the window; None when there was nothing to watch.
        reasons: for it, or why there was nothing to watch.
        asks: the changes that ask for a retraining, each in few words.
    """

    verdict: Literal["ok", "warn", "retrain"] | None
    reasons: tuple[str, ...]
    asks: tuple[str, ...] = ()

    @property
    def reasons_to_train(self) -> list[str]:
        """A reason to train a challenger, if the verdict asks for one."""
        return [f"monitoring: {', '.join(self.asks)}"] if self.verdict == "retrain" else []


def reasons_to_train(
    trigger: Trigger,
    forced: bool,
    champion: ChampionRecord | None,
    changed: Sequence[str],
) -> list[str]:
    """Why a challenger should be trained, whatever monitoring finds.

    Args:
        trigger: what started this.
        forced: a person asks for it.
        champion: the present one of this model, if there is one.
        changed: keys of `WATCHED` that differ from what the champion was trained with.
    """
    reasons = []
    if champion is None:
        reasons.append("there is no champion yet")
    if forced:
        reasons.append("asked for by hand")
    if trigger == "drift":
        reasons.append("asked for by a drift event")
    if trigger == "push" and champion is not None:
        reasons += [f"{name} changed since version {champion.version} was trained" for name in changed]
    return reasons


@dataclass(frozen=True)
class Retraining:
    """What a retraining came to.

    Attributes:
        outcome: "promoted" and "refused" challengers were trained; else training was "not_needed".
        model: name of the registered model.
        champion: the record from now on, as far as this checkout goes.
        reasons: for training; empty if it was not needed.
        watch: what monitoring found.
        tried: what came of a challenger of the same data, code and configuration; None if there was none.
        checks: the challenger's gates.
        reports: paths of the pages, by title.
    """

    outcome: Outcome
    model: str
    champion: ChampionRecord | None
    reasons: tuple[str, ...]
    watch: Watch
    tried: str | None = None
    checks: tuple[Check, ...] = ()
    reports: tuple[tuple[str, str], ...] = ()

    @property
    def headline(self) -> str:
        """The outcome in a line; the subject of the commit that promotes."""
        now = f"version {self.champion.version}" if self.champion else "none"
        if self.outcome == "promoted":
            return f"Promote {self.model} {now}"
        if self.outcome == "refused":
            return f"{self.model}: challenger refused, the champion stays {now}"
        return f"{self.model}: nothing to train, the champion stays {now}"

    def markdown(self) -> str:
        """A summary for people: why, what monitoring saw, every gate, where the reports are."""
        watched = self.watch.verdict or "not run"
        lines = [f"## {self.headline}", "", f"Monitoring: **{watched}**"]
        lines += [f"- {reason}" for reason in self.watch.reasons]
        lines += ["", "Reasons to train: " + ("none" if not self.reasons else "")]
        lines += [f"- {reason}" for reason in self.reasons]
        if self.tried:
            lines += ["", f"The same data, code and configuration were tried before, and {self.tried};"]
            lines += ["FORCE=1 tries them again."]
        if self.checks:
            lines += ["", "| gate | result | reason |", "|---|---|---|", *map(_row, self.checks)]
        if self.reports:
            lines += ["", "Reports:", *(f"- {title}: `{path}`" for title, path in self.reports)]
        return "\n".join(lines) + "\n"


def _row(check: Check) -> str:
    return f"| {_cell(check.name)} | {'passed' if check.passed else '**failed**'} | {_cell(check.reason)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
