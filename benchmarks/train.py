"""How fast does training run, and what share of what the machine can do?"""

from __future__ import annotations

import argparse
import os
import platform
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.apart import ROOT, Result
from benchmarks.measure import Job
from benchmarks.report import report
from benchmarks.sections import SECTIONS, Bench
from benchmarks.shapes import Shape
from model_code.files import write_json
from model_code.models.table import MODELS
from model_code.training.device import processor_name, resolve_device

BASE = [name for name, known in MODELS.items() if not known.fixed]


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="one short run each, without globo and grow")
    add("--sections", nargs="+", choices=SECTIONS, help="what to measure (all)")
    add("--models", nargs="+", choices=MODELS, default=BASE, help="which models (all but variants)")
    add("--runs", type=int, help="processes a model, and turns with the other package (3)")
    add("--grow-runs", type=int, default=1, help="processes a model and shape where the shape grows (1)")
    add("--seconds", type=float, help="of each part of a measurement, about (1)")
    add("--threads", type=int, help="CPU threads (torch's own choice)")
    add("--device", default="auto", help="auto, cpu, cuda, ... (auto)")
    add("--zipf", type=float, default=1.0, help="exponent of the items' frequencies; 0 is uniform (1)")
    add("--cache", type=Path, default=ROOT / "build", help="where the other package's environment is kept")
    add("--json", type=Path, metavar="FILE", help="write all measurements")
    add("--markdown", type=Path, metavar="FILE", help="write the tables")
    options = parser.parse_args(arguments)
    options.runs = options.runs or (1 if options.quick else 3)
    options.seconds = options.seconds or (0.3 if options.quick else 1.0)
    options.sections = options.sections or (["base", "peer"] if options.quick else list(SECTIONS))
    return options


def setup(options: argparse.Namespace, job: Job) -> Result:
    """What the numbers depend on."""
    device = resolve_device(options.device)
    return {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": processor_name(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": options.threads or torch.get_num_threads(),
        "cores": os.cpu_count(),
        "runs": options.runs,
        "grow_runs": options.grow_runs,
        "shape": asdict(job.shape),
    }


def main() -> None:
    """Measure, print the tables, and write what was asked for."""
    options = parse()
    job = Job(
        model="deminet",
        shape=Shape(zipf=options.zipf),
        seconds=options.seconds,
        threads=options.threads,
        device=options.device,
    )
    bench, results = Bench(options, job), {"setup": setup(options, job)}
    for section in options.sections:
        results |= getattr(bench, section)()
    page = report(results)
    print(page)
    if options.json:
        write_json(options.json, results)
    if options.markdown:
        options.markdown.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
