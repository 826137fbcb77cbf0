"""Where a model comes from: versions of data and code."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

from steps.caching import ROOT


def lineage(source: str, raw_version: str) -> dict[str, str]:
    """Version of the data and of the code; what is not there is left out.

    Args:
        source: path of the raw log. Where it lies in the folder that DVC pins, its md5 is the version.
        raw_version: version of the raw files, whoever keeps them.
    """
    facts = {"source": source, "raw files": raw_version}
    pointer = ROOT / "data.dvc"
    if pointer.is_file() and Path(source).absolute().is_relative_to(ROOT / "data"):
        facts["data.dvc md5"] = str(yaml.safe_load(pointer.read_text(encoding="utf-8"))["outs"][0]["md5"])
    if commit := _git("rev-parse", "HEAD"):
        changed = " with uncommitted changes" if _git("status", "--porcelain") else ""
        facts["git commit"] = commit + changed
    return facts


def _git(*arguments: str) -> str:
    try:
        result = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
