"""A copy of the project in a folder of its own, with a small log, driven by the command line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from model_code.events.simulate import DEMO, write_demo_log

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = "pipelines.training.training_pipeline"
COPIED = ("model_code", "steps", "pipelines", "configs", "data.dvc")
LOG = replace(DEMO, users=600, clicks=9_000, items=500)
SMALL: dict[str, Any] = {
    "model": {"name": "deminet", "settings": {"interests": 2, "hidden": [16, 8]}},
    "training": {"epochs": 1, "samples_per_epoch": 1_000, "threads": 1},
    "evaluation": {"bootstrap_replicates": 50},
    "validation": {"smallest_rows": 100},
    # One short pass learns little; what each gate does is tested on its own.
    "gates": {
        "min_auc_over_popularity": -1,
        "max_prediction_bias": 10,
        "max_calibration_error": 1,
        "max_sanity_deviation": 0.5,
        "must_beat": "off",
    },
}


class Project:
    """The copy; every run is a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / name)
        write_demo_log(LOG, folder / "data" / "clicks")
        self.environment = os.environ | {
            "ZENML_CONFIG_PATH": str(folder / ".zenml"),
            "ZENML_CUSTOM_SOURCE_ROOT": str(folder),
            "ZENML_ENABLE_RICH_TRACEBACK": "false",
            "ZENML_LOGGING_COLORS_DISABLED": "true",
            "PYTHONPATH": str(folder),
            "NO_COLOR": "1",
        }
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self._call("zenml", "init")

    def run(self, **parameters: Any) -> Run:
        """Run the training pipeline with `SMALL` and these parameters on top."""
        merged = {**SMALL, **parameters}
        for name in SMALL.keys() & parameters.keys():
            merged[name] = {**SMALL[name], **parameters[name]}
        return self.run_pipeline(PIPELINE, merged)

    def run_pipeline(self, pipeline: str, parameters: dict[str, Any]) -> Run:
        """Run any pipeline with these parameters alone."""
        config = self.folder / "config.yaml"
        config.write_text(yaml.safe_dump({"parameters": parameters}))
        return Run(self._call("zenml", "pipeline", "run", pipeline, "--config", str(config), check=False))

    @property
    def pages_without_lineage(self) -> list[str]:
        """Pages of runs that do not say which data they are of."""
        pages = (self.folder / "reports").glob("*/*/*.html")
        return [str(page) for page in pages if "raw files: <code" not in page.read_text()]

    def ask(self, code: str) -> Any:
        """Run Python code that prints JSON, with the orchestrator's ``client`` at hand."""
        preamble = "import json; from zenml.client import Client; client = Client()\n"
        answer = self._call(sys.executable, "-c", preamble + code)
        return json.loads(answer.stdout.splitlines()[-1])

    def shell(self, script: str) -> None:
        """Run a script of the documentation, with the tests' own Python for the one in ``.venv``."""
        script = script.replace(".venv/bin/python", sys.executable)
        self._call("bash", "-euc", script)

    def append(self, file: str, text: str) -> None:
        """Change a file of the project."""
        with (self.folder / file).open("a") as opened:
            opened.write(text)

    def _call(self, program: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        if program == "zenml":
            program = str(Path(sys.executable).with_name("zenml"))
        result = subprocess.run(
            [program, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and result.returncode != 0:
            raise AssertionError(result.stdout + result.stderr)
        return result


class Run:
    """What a run said."""

    def __init__(self, process: subprocess.CompletedProcess[str]) -> None:
        self.code = process.returncode
        self.output = re.sub(r"\x1b\[[0-9;]*m", "", process.stdout + process.stderr)

    @property
    def executed(self) -> set[str]:
        """Steps that ran."""
        return set(re.findall(r"Step `?([\w-]+)`? has finished", self.output))

    @property
    def cached(self) -> set[str]:
        """Steps that were served from the cache."""
        return set(re.findall(r"Using cached version of step `?([\w-]+)", self.output))
