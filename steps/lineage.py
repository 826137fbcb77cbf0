"""Where a model comes from: versions of data and code."""

from __future__ import annotations

import subprocess

import yaml

from steps.caching import ROOT


def lineage() -> dict[str, str]:
    """Version of the data that DVC pins, and of the code that git holds; what is not there is left out."""
    facts = {}
    if (pointer := ROOT / "data.dvc").is_file():
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
