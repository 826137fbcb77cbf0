"""Measurements in processes of their own, so that neither heaps nor peaks of memory mix."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

Result = dict[str, Any]


class ApartError(Exception):
    """The process failed; the message is the end of what it said."""


def run_apart(command: Sequence[str], payload: Mapping[str, Any]) -> Result:
    """Run a command that reads JSON and whose last line of output is JSON.

    Raises:
        ApartError: when it fails.
    """
    done = subprocess.run(
        command, input=json.dumps(payload), capture_output=True, text=True, cwd=ROOT, check=False
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"]
        raise ApartError(said[-1])
    result: Result = json.loads(done.stdout.splitlines()[-1])
    return result


def run_module(module: str, payload: Mapping[str, Any]) -> Result:
    """`run_apart` of a module of this project that ends with `serve`."""
    return run_apart([sys.executable, "-m", module], payload)


def serve(function: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
    """Be the other side of `run_module`."""
    print(json.dumps(function(json.load(sys.stdin))))
