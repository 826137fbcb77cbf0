"""Tests never touch the user's own orchestrator database, nor send anything anywhere."""

import atexit
import os
import tempfile
from pathlib import Path

import pytest

os.environ["ZENML_CONFIG_PATH"] = tempfile.mkdtemp(prefix="zenml-")
# Workers of pytest-xdist have no main module from which ZenML could find the root of the sources.
os.environ["ZENML_CUSTOM_SOURCE_ROOT"] = str(Path(__file__).resolve().parents[1])
os.environ["ZENML_ANALYTICS_OPT_IN"] = "false"
os.environ["DO_NOT_TRACK"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"  # tests are small: threads would only wait for each other

# With Great Expectations and torch in one process DuckDB reports dozens of "leaked" objects after the last
# test. The pipeline keeps them apart; here the report would only bury the result.
atexit.register(lambda: os.dup2(os.open(os.devnull, os.O_WRONLY), 2))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the pipelines first: they take minutes a file, and no worker should be left with one at the end."""
    items.sort(key=lambda item: "pipelines" not in item.path.parts)
