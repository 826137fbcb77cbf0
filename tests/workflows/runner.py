"""Runs the shell commands of a workflow as a hosted runner does: in a fresh clone, without a database."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

EXPRESSION = re.compile(r"\$\{\{ (.*?) \}\}")
GH = """#!/bin/sh
printf '%s\\n' "$@" >> "$GH_LOG"
"""


CALL = """#!/bin/sh
exec {} "$@"
"""


class Runner:
    """A machine that clones a repository and follows a workflow of it."""

    def __init__(self, folder: Path, remote: Path) -> None:
        self.folder = folder
        self.checkout = folder / "checkout"
        folder.mkdir()
        subprocess.run(["git", "clone", "--quiet", str(remote), str(self.checkout)], check=True)
        self._install()

    def _install(self) -> None:
        """Stand in for ``make install``: the packages are those that run this test."""
        tools, environment = self.folder / "tools", self.checkout / ".venv"
        _script(tools / "gh", GH)
        for name in ("python", "zenml", "dvc"):
            _script(environment / "bin" / name, CALL.format(Path(sys.executable).with_name(name)))
        (environment / ".installed").touch()

    @property
    def asked(self) -> list[str]:
        """What the GitHub command line was called with."""
        log = self.folder / "gh.txt"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def summary(self) -> str:
        """The summary of the job."""
        return (self.folder / "summary.md").read_text()

    def follow(self, workflow: str, job: str, event: str, force: bool = False) -> dict[str, str]:
        """Run the job's shell commands; returns the outputs of its step ``retrain``."""
        file = yaml.safe_load((self.checkout / workflow).read_text())
        outputs: dict[str, str] = {}
        for step in file["jobs"][job]["steps"]:
            values = {
                "github.event_name": event,
                "github.token": "a token",
                "inputs.force && '1' || ''": "1" if force else "",
                **{f"steps.retrain.outputs.{name}": value for name, value in outputs.items()},
            }
            if "run" not in step or not _wanted(step.get("if"), values):
                continue
            environment = {**file.get("env", {}), **step.get("env", {})}
            filled = {name: _fill(str(value), values) for name, value in environment.items()}
            outputs |= self._run(_fill(step["run"], values), filled)
        return outputs

    def _run(self, script: str, environment: dict[str, str]) -> dict[str, str]:
        said = self.folder / "output.txt"
        said.write_text("")
        outputs = {"GITHUB_OUTPUT": str(said), "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md")}
        self.shell(script, environment | outputs)
        return dict(line.split("=", 1) for line in said.read_text().splitlines())

    def shell(self, script: str, environment: dict[str, str] | None = None) -> str:
        """Run a script in the checkout; returns what it said."""
        given: dict[str, Any] = os.environ | (environment or {})
        given.pop("ZENML_CUSTOM_SOURCE_ROOT")
        given |= {
            "PATH": f"{self.folder / 'tools'}:{given['PATH']}",
            "GH_LOG": str(self.folder / "gh.txt"),
            "ZENML_CONFIG_PATH": str(self.folder / ".zenml"),
            "PYTHONPATH": str(self.checkout),
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        result = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=self.checkout,
            env=given,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-6000:]
        return result.stdout + result.stderr


def _script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def _wanted(condition: str | None, values: dict[str, str]) -> bool:
    if condition is None:
        return True
    name, value = re.fullmatch(r"(\S+) == '(\w+)'", condition).groups()  # type: ignore[union-attr]
    return values.get(name) == value


def _fill(text: str, values: dict[str, str]) -> str:
    return EXPRESSION.sub(lambda found: values[found[1]], text)
