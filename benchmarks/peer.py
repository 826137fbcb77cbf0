"""The same training by another package: DeepCTR-Torch's DIN, on the groups that ours are measured on."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.apart import ROOT, Result, run_apart
from benchmarks.measure import Job, apart, fit_batches
from benchmarks.synthetic import synthetic_log
from model_code.groups import Group
from model_code.models.din import DINSettings
from model_code.sequences.batches import ResidentLog
from model_code.training.device import resolve_device

PACKAGE, VERSION = "deepctr-torch", "0.3.0"
SCRIPT = Path(__file__).with_name("peer_din.py")
BATCHES = 40
INSTALL_SECONDS = 900


class PeerMissingError(Exception):
    """The package's environment could not be made; the message says why."""


def environment(folder: Path) -> Path:
    """Return the Python of an environment with the package and our version of torch; make it if need be.

    Raises:
        PeerMissingError: when it cannot be made.
    """
    python = folder / "bin" / "python"
    ours = torch.__version__.split("+")[0]
    if _installed(python) == [ours, VERSION]:
        return python
    wanted = [f"torch=={ours}", f"{PACKAGE}=={VERSION}", "requests"]  # the last it imports, but does not name
    try:
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted],
        ):
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.CalledProcessError as error:
        raise PeerMissingError((error.stderr.strip().splitlines() or [str(error)])[-1]) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerMissingError(str(error)) from None
    return python


def _installed(python: Path) -> list[str]:
    """Versions of torch and of the package in an environment; empty where there is none."""
    ask = f"from importlib.metadata import version as v; print(v('torch').split('+')[0], v('{PACKAGE}'))"
    try:
        done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    return done.stdout.split()


def flatten(groups: list[Group]) -> dict[str, NDArray[Any]]:
    """Turn groups into one row a sample, the history repeated for each; names are the package's features."""

    def each(group: Group, values: torch.Tensor) -> torch.Tensor:
        return values.repeat_interleave(group.candidate_item.shape[1], dim=0)

    def label(group: Group) -> torch.Tensor:
        labels = torch.zeros(group.candidate_item.shape)
        labels[:, 0] = 1
        return labels.flatten()

    columns = {
        "item": [g.candidate_item.flatten() for g in groups],
        "category": [g.candidate_category.flatten() for g in groups],
        "hist_item": [each(g, g.history_item) for g in groups],
        "hist_category": [each(g, g.history_category) for g in groups],
        "length": [each(g, g.length) for g in groups],
        "label": [label(g) for g in groups],
    }
    return {name: torch.cat(parts).cpu().numpy() for name, parts in columns.items()}


def in_turn(job: Job, models: Iterable[str], python: Path) -> dict[str, Result]:
    """Measure the peer, then each of ours, on the same samples.

    Args:
        job: of any model.
        models: ours.
        python: of the peer's environment.

    Returns:
        What was measured of ``peer``, and of ``ours`` by model.

    Raises:
        benchmarks.apart.ApartError: when one of them fails.
    """
    data = synthetic_log(job.shape)
    groups = list(fit_batches(data, ResidentLog.of(data), job.shape).epoch(0))[: job.batches]
    settings = DINSettings()
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.npz"
        np.savez(rows, **flatten(groups))  # type: ignore[arg-type]
        payload = {
            "rows": str(rows),
            "items": data.sizes.items,
            "categories": data.sizes.categories,
            "history": job.shape.history,
            "width": settings.embedding_width,
            "unit_hidden": settings.unit_hidden,
            "hidden": settings.hidden,
            "batch": groups[0].candidate_item.numel(),
            "seconds": job.seconds,
            "threads": job.threads,
            "device": str(resolve_device(job.device)),
        }
        # -P: the modules beside the script must not hide others of the same name.
        theirs = run_apart([str(python), "-P", str(SCRIPT.relative_to(ROOT))], payload)
    return {"peer": theirs, "ours": {model: apart("measure", replace(job, model=model)) for model in models}}
