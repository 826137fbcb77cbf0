"""The sections of the benchmark: which measurements each takes."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from benchmarks import peer, real_logs
from benchmarks.apart import ApartError, Result, run_module
from benchmarks.measure import Job, apart
from benchmarks.shapes import AXES, Axis

SECTIONS = ("base", "globo", "grow", "peer")


@dataclass(frozen=True)
class Bench:
    """What to measure, and what has been measured so far."""

    options: argparse.Namespace
    job: Job  # of the base shape
    began: float = field(default_factory=time.monotonic)
    done: dict[Job, list[Result]] = field(default_factory=dict)

    def measured(self, job: Job, runs: int) -> list[Result]:
        """Measure a job until there are so many runs of it; none of a job that fails."""
        results = self.done.setdefault(job, [])
        title = f"{job.model}, {'real log' if job.log else job.shape}"
        try:
            while len(results) < runs:
                results.append(apart("measure", job))
        except ApartError as error:
            self.say(f"{title}: failed: {error}")
            return results
        speed = median(result["samples_per_second"] for result in results)
        self.say(f"{title}: {speed:,.0f} samples/s")
        return results

    def say(self, text: str) -> None:
        """Tell whoever waits."""
        print(f"{time.monotonic() - self.began:4.0f} s  {text}", file=sys.stderr)

    def base(self) -> Result:
        """The base shape, with the yardsticks before each round over the models."""
        settings = {name: getattr(self.job, name) for name in ("seconds", "threads", "device")}
        rounds = range(1, self.options.runs + 1)
        sticks = []
        for number in rounds:
            sticks.append(run_module("benchmarks.yardsticks", settings))
            models = {model: self.measured(replace(self.job, model=model), number) for model in self.models}
        demands = {
            model: apart("demand", replace(self.job, model=model)) for model, runs in models.items() if runs
        }
        return {"yardsticks": sticks, "demands": demands, "base": models}

    def globo(self) -> Result:
        """The base shape's batches on the Globo log."""
        if reason := real_logs.missing("globo"):
            return {"globo": {"skipped": reason}}
        with tempfile.TemporaryDirectory() as folder:
            try:
                log = real_logs.prepare("globo", Path(folder))
            except ApartError as error:
                return {"globo": {"skipped": str(error)}}
            self.say("Globo is prepared")
            job = replace(self.job, log=str(Path(folder) / "sequences"))
            models = {
                model: self.measured(replace(job, model=model), self.options.runs) for model in self.models
            }
        return {"globo": {"log": log, "models": models}}

    def grow(self) -> Result:
        """Each axis, in turn."""
        along = {axis.field: self._along(axis) for axis in AXES}
        return {"grow": {field: models for field, models in along.items() if models}}

    def _along(self, axis: Axis) -> dict[str, dict[int, list[Result]]]:
        models = [model for model in self.models if axis.models is None or model in axis.models]
        return {
            model: {
                value: self.measured(
                    replace(self.job, model=model, shape=replace(self.job.shape, **{axis.field: value})),
                    self.options.grow_runs,
                )
                for value in axis.values
            }
            for model in models
        }

    def peer(self) -> Result:
        """The other package's DIN and our models in turn."""
        job = replace(self.job, batches=peer.BATCHES)
        turns: list[Result] = []
        try:
            python = peer.environment(self.options.cache / "peer")
            for _ in range(self.options.runs):
                turns.append(peer.in_turn(job, self.models, python))
                self.say(f"DeepCTR-Torch's DIN: {turns[-1]['peer']['fit']:,.0f} samples/s")
        except (peer.PeerMissingError, ApartError) as error:
            self.say(f"DeepCTR-Torch: {error}")
            if not turns:
                return {"peer": {"skipped": str(error)}}
        return {"peer": {"version": peer.VERSION, "turns": turns}}

    @property
    def models(self) -> list[str]:
        """Names of the models to measure."""
        return list(self.options.models)
