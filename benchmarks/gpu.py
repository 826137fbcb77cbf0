"""What only a GPU can show: ``python -m benchmarks.gpu``.

Checks that training on the GPU computes what the CPU computes, that replayed steps do what steps run one by
one do, and that no step waits for the device; then prints samples/s for each model, batch size and precision.
Without a GPU it says so and ends.
"""

from __future__ import annotations

import time
from itertools import islice

import torch

from benchmarks.shapes import Shape
from benchmarks.synthetic import synthetic_log
from model_code.groups import Group
from model_code.models.table import build, entry
from model_code.reports.text import table
from model_code.sequences.batches import FitBatches, ResidentLog
from model_code.training.optimizers import ModelOptimizer
from model_code.training.settings import TrainingSettings
from model_code.training.step import TrainingStep

MODELS, STEPS = ("din", "deminet"), 30
BATCHES, PRECISIONS = (256, 4096), ("highest", "high")  # "high" is TF32


class Run:
    """A model that trains on a synthetic log."""

    def __init__(self, model: str, device: str, batch: int = 256, *, replay: bool = True) -> None:
        torch.manual_seed(1)
        data, settings = synthetic_log(Shape()), TrainingSettings()
        self.model = build(model, entry(model).defaults(), data.shape).to(device).train()
        self.optimizer = ModelOptimizer(self.model, settings)
        self.step = TrainingStep(self.model, self.optimizer, settings)
        if not replay:
            self.step.compute = self.step._compute
        groups = FitBatches(data, ResidentLog.of(data, device), groups_per_batch=round(batch / 10), seed=1)
        self.groups: list[Group] = list(islice(groups.epoch(0), STEPS))

    def train(self) -> dict[str, torch.Tensor]:
        """Take the steps; return the weights on the CPU."""
        for number, group in enumerate(self.groups, 1):
            self.step(group, number)
        self.optimizer.flush()
        return {name: weight.detach().cpu() for name, weight in self.model.state_dict().items()}

    def speed(self) -> float:
        """Samples a second, after a first pass."""
        self.train()
        torch.cuda.synchronize()
        began, repeats = time.perf_counter(), 10
        with torch.cuda.stream(torch.cuda.current_stream()):
            torch.cuda.set_sync_debug_mode("error")  # a step that waits for the device fails
            for number, group in enumerate(self.groups * repeats, STEPS + 1):
                self.step(group, number)
            torch.cuda.set_sync_debug_mode("default")
        torch.cuda.synchronize()
        samples = sum(group.candidate_item.numel() for group in self.groups) * repeats
        return samples / (time.perf_counter() - began)


def furthest(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> float:
    """Largest difference of two models' weights."""
    return max((first[name].double() - second[name].double()).abs().max().item() for name in first)


def main() -> None:
    """Check and measure."""
    if not torch.cuda.is_available():
        print("skipped: there is no GPU")
        return
    print(torch.cuda.get_device_name(), "torch", torch.__version__)
    for model in MODELS:
        replayed, eager = Run(model, "cuda").train(), Run(model, "cuda", replay=False).train()
        print(f"{model}: replayed and eager steps differ by {furthest(replayed, eager):.1e}")
        if model == "din":  # the views of DemiNet are drawn by the device's own generator
            print(f"{model}: GPU and CPU differ by {furthest(replayed, Run(model, 'cpu').train()):.1e}")
    rows = []
    for model in MODELS:
        for batch in BATCHES:
            for precision in PRECISIONS:
                torch.set_float32_matmul_precision(precision)
                rows.append([model, str(batch), precision, f"{Run(model, 'cuda', batch).speed():,.0f}"])
    print(table(["model", "batch", "matrix products", "samples/s"], rows))


if __name__ == "__main__":
    main()
