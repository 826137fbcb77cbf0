"""One of the processes that train a model together; torchrun starts them.

    torchrun --nproc-per-node 8 -m model_code.training.worker job.json

On several machines, run the same command on each, with torchrun's own options ``--nnodes``, ``--node-rank``
and ``--rdzv-endpoint``; the paths in the job must lead to the same files on all of them. Process 0 prints
its progress, a JSON object a line.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from model_code import replicas
from model_code.training.job import Job
from model_code.training.loop import Progress
from model_code.training.train import train


def work(job: Job, environment: Mapping[str, str] = os.environ) -> None:
    """Train, as the process that torchrun's ``environment`` says this is."""
    training, local = job.training, int(environment["LOCAL_RANK"])
    if training.device in ("auto", "cuda") and torch.cuda.is_available():
        torch.cuda.set_device(local)
        training = replace(training, device=f"cuda:{local}")
    backend = "cpu:gloo,cuda:nccl" if training.device.startswith("cuda") else "gloo"
    threads = max(1, (os.cpu_count() or 1) // int(environment["LOCAL_WORLD_SIZE"]))
    dist.init_process_group(backend)
    try:
        train(
            replace(job, training=replace(training, threads=training.threads or threads)),
            report=_report if replicas.rank() == 0 else _be_silent,
        )
        dist.barrier()
    finally:
        dist.destroy_process_group()


def _report(progress: Progress) -> None:
    _say(progress=progress._asdict())


def _be_silent(_progress: Progress) -> None:
    pass


def _say(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        work(Job.read(Path(sys.argv[1])))
    except (Exception, KeyboardInterrupt) as error:
        _say(stopped=isinstance(error, KeyboardInterrupt), error=str(error) or type(error).__name__)
        raise
