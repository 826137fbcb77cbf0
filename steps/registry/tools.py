"""git and DVC, called as a person would call them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from model_code.registry.record import RegistryError


def git(folder: Path, *arguments: str) -> str:
    """Output of a git command.

    Raises:
        RegistryError: with git's own words, when it fails.
    """
    return _run(folder, ["git", *arguments])


def dvc(folder: Path, *arguments: str) -> str:
    """Output of a DVC command; raises as `git` does."""
    return _run(folder, [sys.executable, "-m", "dvc", *arguments])


def _run(folder: Path, command: list[str]) -> str:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode:
        words = (result.stderr or result.stdout).strip()
        raise RegistryError(f"`{' '.join(command)}` failed in {folder}: {words}")
    return result.stdout
