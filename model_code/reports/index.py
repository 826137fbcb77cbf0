"""The index page: every run's reports, the newest first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from model_code.files import read_json
from model_code.lineage import data_version
from model_code.reports.page import render

LINEAGE = "lineage.json"  # beside a run's reports: versions of the data and code that they are of

TITLES = {
    "validation": "the log",
    "comparison": "the models",
    "benchmark": "the benchmark",
    "tuning": "the search",
    "monitoring": "the window",
    "evidently": "Evidently's view",
}


class Run(NamedTuple):
    """A run's row in the index."""

    pipeline: str
    name: str
    changed: int  # ms since the epoch
    data: str  # version; empty if unknown
    code: str  # git commit; empty if unknown
    pages: list[tuple[str, str]]  # path, what it is about


def render_index(reports: Path) -> Path:
    """Write ``index.html`` for a folder of ``<pipeline>/<run>/<report>.html`` and return it.

    The registry's page is linked where there is one.
    """
    runs = [_run(folder, reports) for folder in reports.glob("*/*/") if any(_pages(folder))]
    runs.sort(key=lambda run: run.changed, reverse=True)
    index = reports / "index.html"
    registry = "registry.html" if (reports / "registry.html").exists() else ""
    render("index.html", {"title": "Reports", "runs": runs, "registry": registry}, index)
    return index


def _run(folder: Path, reports: Path) -> Run:
    pages = sorted(_pages(folder), reverse=True)  # validation before comparison, as they come
    changed = max(page.stat().st_mtime for page in pages)
    links = [(page.relative_to(reports).as_posix(), TITLES.get(page.stem, page.stem)) for page in pages]
    file = folder / LINEAGE
    lineage = read_json(file) if file.is_file() else {}
    data, code = data_version(lineage), lineage.get("git commit", "")
    return Run(folder.parent.name, folder.name, int(changed * 1000), data, code, links)


def _pages(folder: Path) -> Iterator[Path]:
    return folder.glob("[!.]*.html")
