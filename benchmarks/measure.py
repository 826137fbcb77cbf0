"""One measurement: a model trains and scores at one shape, in this process."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, TypeVar
from unittest import mock

import torch
from torch import nn

from benchmarks.apart import Result, run_module, serve
from benchmarks.clock import clock_of, peak_memory
from benchmarks.counting import count
from benchmarks.shapes import GATHERED, Shape
from benchmarks.synthetic import synthetic_log
from model_code.groups import Group
from model_code.kernels.library import SWITCH
from model_code.models.table import build, entry
from model_code.scoring import GROUPS_PER_BATCH, predict
from model_code.sequences.batches import FitBatches, ResidentLog
from model_code.sequences.data import SequenceData
from model_code.training.device import resolve_device
from model_code.training.heap import keep_freed_memory
from model_code.training.optimizers import ModelOptimizer
from model_code.training.settings import TrainingSettings
from model_code.training.step import TrainingStep, total_loss

T = TypeVar("T")

WARM_UP = 5  # steps: memory is allocated, the optimizer's state is made, a GPU's work is recorded
FEWEST = 2  # steps that are timed, however long they take


@dataclass(frozen=True)
class Job:
    """What to measure.

    Attributes:
        model: its name in the table of models.
        shape: of the synthetic log and of the batches; of a real log, only of the batches.
        log: folder of a prepared log to take in place of the synthetic one.
        batches: train on the first few batches of the pass, over and over; None takes the whole pass.
        seconds: of each of the measurement's parts, about.
        threads: on the CPU; None leaves torch's own choice.
        device: "auto", or a torch device name.
    """

    model: str
    shape: Shape
    log: str | None = None
    batches: int | None = None
    seconds: float = 1.5
    threads: int | None = None
    device: str = "auto"


class Phases(NamedTuple):
    """Seconds of the parts of one step."""

    forward: float
    backward: float
    optimizer: float


class Training:
    """A model in training mode, its optimizer, and the step of the training loop."""

    def __init__(self, model: nn.Module) -> None:
        settings = TrainingSettings()
        self.model = model.train()
        self.optimizer = ModelOptimizer(model, settings)
        self._step = TrainingStep(model, self.optimizer, settings)
        self._done = 0

    def step(self, group: Group) -> None:
        """Do a step of the training loop."""
        self._done += 1
        self._step(group, self._done)

    def phases(self, group: Group, clock: Callable[[], float]) -> Phases:
        """Do a step part by part; ``clock`` waits for the device.

        What a model computes in one call, loss and gradients, is its forward part.
        """
        self._done += 1
        times = [clock()]
        self.optimizer.begin(self._done)
        times.append(clock())
        own = self._step.own
        if own is None or own.gradients(group) is None:
            total, _ = total_loss(self.model, self.model(group))
            times.append(clock())
            total.backward()
        else:
            times.append(clock())
        times.append(clock())
        self.optimizer.step()
        times.append(clock())
        begin, forward, backward, update = (end - start for start, end in itertools.pairwise(times))
        return Phases(forward, backward, begin + update)


def repeat(step: Callable[[Group], T], groups: Sequence[Group], seconds: float) -> list[T]:
    """Take steps for some seconds."""
    results: list[T] = []
    end = time.perf_counter() + seconds
    for group in itertools.cycle(groups):
        if len(results) >= FEWEST and time.perf_counter() > end:
            break
        results.append(step(group))
    return results


class Setting(NamedTuple):
    """All that a job measures with."""

    data: SequenceData
    resident: ResidentLog
    training: Training
    gather: float  # seconds a batch takes to be drawn and gathered
    groups: list[Group]
    clock: Callable[[], float]


def setting(job: Job) -> Setting:
    """Make the log, the batches and the model."""
    if job.threads:
        torch.set_num_threads(job.threads)
    keep_freed_memory()
    device = resolve_device(job.device)
    data = SequenceData.load(Path(job.log)) if job.log else synthetic_log(job.shape)
    resident = ResidentLog.of(data, device)
    gather, groups = _gather(fit_batches(data, resident, job.shape), clock_of(device))
    torch.manual_seed(1)
    model = build(job.model, model_settings(job), data.shape).to(device)
    return Setting(data, resident, Training(model), gather, groups[: job.batches], clock_of(device))


def measure(job: Job) -> Result:
    """Measure training, then scoring."""
    data, resident, training, gather, groups, clock = setting(job)
    device = resident.item.device
    return {
        **_train(training, groups, gather, job.seconds, clock),
        "training_peak": peak_memory(device),
        "scoring_samples_per_second": _score(training.model, data, resident, job.seconds),
        "scoring_peak": peak_memory(device),
    }


def demand(job: Job) -> Result:
    """Count what a step asks of the machine.

    Not part of `measure`: the counters load hundreds of modules, and see operators of PyTorch alone. So the
    formulas are counted that the kernels stand for.
    """
    with mock.patch.dict(os.environ, {SWITCH: "off"}):
        this = setting(job)
        this.training.step(this.groups[0])  # makes the optimizer's state
        return dict(count(lambda: this.training.step(this.groups[0]))._asdict())


def model_settings(job: Job) -> Any:
    """The model's settings: its defaults, but for what the shape says."""
    own = {"interests": job.shape.interests} if job.model == "deminet" else {}
    return entry(job.model).defaults(**own)


def fit_batches(data: SequenceData, resident: ResidentLog, shape: Shape) -> FitBatches:
    """Passes over as many samples as are gathered at once, so that a pass is one chunk."""
    return FitBatches(data, resident, groups_per_batch=shape.groups, seed=1, samples_per_epoch=GATHERED)


def _gather(batches: FitBatches, clock: Callable[[], float]) -> tuple[float, list[Group]]:
    """Return the seconds a batch takes to be drawn and gathered, and the full batches of pass 0."""
    groups = list(batches.epoch(0))
    seconds = []
    for number in range(1, 4):
        began = clock()
        drawn = sum(1 for _ in batches.epoch(number))
        seconds.append((clock() - began) / drawn)
    return median(seconds), groups[:-1]


def _train(
    training: Training, groups: Sequence[Group], gather: float, seconds: float, clock: Callable[[], float]
) -> Result:
    for group in itertools.islice(itertools.cycle(groups), WARM_UP):
        training.step(group)
    began = clock()
    steps = len(repeat(training.step, groups, seconds))
    step = (clock() - began) / steps
    # Waiting after each part would slow down a device that runs behind the host, hence a second run for it.
    waited = repeat(partial(training.phases, clock=clock), groups, seconds)
    began = clock()
    training.optimizer.flush()
    flush = clock() - began
    samples = groups[0].candidate_item.numel()
    return {
        "samples": samples,
        "samples_per_second": samples / (gather + step),
        "bare_samples_per_second": samples / step,
        "step_ms": step * 1e3,
        "gather_ms": gather * 1e3,
        **{f"{name}_ms": median(getattr(p, name) for p in waited) * 1e3 for name in Phases._fields},
        "flush_ms": flush * 1e3,
    }


def _score(model: nn.Module, data: SequenceData, resident: ResidentLog, seconds: float) -> float:
    """Samples scored a second, as the pipeline scores a part."""
    predict(model, data, resident, "test", limit=GROUPS_PER_BATCH)
    began = time.perf_counter()
    predict(model, data, resident, "test", limit=GROUPS_PER_BATCH)
    batches = max(2, int(seconds / (time.perf_counter() - began)))
    limit = min(batches * GROUPS_PER_BATCH, len(data.parts["test"]))
    began = time.perf_counter()
    logits = predict(model, data, resident, "test", limit=limit)
    return float(logits.size / (time.perf_counter() - began))


TASKS: Mapping[str, Callable[[Job], Result]] = {"measure": measure, "demand": demand}


def apart(task: str, job: Job) -> Result:
    """Do a task in a process of its own."""
    return run_module(__name__, {"task": task, "job": asdict(job)})


def _serve(payload: Mapping[str, Any]) -> Result:
    job = payload["job"]
    return TASKS[payload["task"]](Job(**{**job, "shape": Shape(**job["shape"])}))


if __name__ == "__main__":
    serve(_serve)
