"""Which device a run uses."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

from model_code.settings import SettingsError


def resolve_device(name: str) -> torch.device:
    """Turn the setting ``training.device`` into a device; "auto" takes a GPU where there is one.

    Raises:
        SettingsError: for a device that is unknown or not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].split(". ")[0]
        raise SettingsError(f"training.device = {name!r}: cannot be used here ({reason})") from None
    return device


def processor_name() -> str:
    """What the machine calls its CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
