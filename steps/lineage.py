"""Where a model comes from: versions of data and code."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Collection
from pathlib import Path

import yaml

from model_code.lineage import PINNED
from model_code.registry.record import RegistryError
from steps.caching import ROOT
from steps.registry.tools import dvc


def lineage(source: str, files: Collection[Path], raw_version: str) -> dict[str, str]:
    """Version of the data and of the code; what is not there is left out.

    Args:
        source: path of the raw log.
        files: all raw files. Where they lie in the folder that DVC pins, and are what it pins, its md5 is the
            version.
        raw_version: hash of their contents, whoever keeps them.
    """
    facts = {"source": source, "raw files": raw_version}
    pointer = ROOT / "data.dvc"
    if pointer.is_file() and files and all(path.is_relative_to(ROOT / "data") for path in files):
        if _pinned(pointer.name):
            facts[PINNED] = str(yaml.safe_load(pointer.read_text(encoding="utf-8"))["outs"][0]["md5"])
        else:
            facts["data.dvc"] = "does not pin these files; `dvc add data` would"
    if commit := _git("rev-parse", "HEAD"):
        changed = " with uncommitted changes" if _git("status", "--porcelain") else ""
        facts["git commit"] = commit + changed
    return facts


def _pinned(pointer: str) -> bool:
    """Whether the files are those that DVC's pointer names; DVC's cache need not have them."""
    try:
        status = json.loads(dvc(ROOT, "status", "--json", pointer))
    except RegistryError:  # no repository of DVC's
        return False
    changes = [change for part in status.get(pointer, []) for change in part.get("changed outs", {}).values()]
    return all(change == "not in cache" for change in changes)


def _git(*arguments: str) -> str:
    try:
        result = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
