"""The index page: every run's reports, the newest first."""

from __future__ import annotations

from pathlib import Path

from model_code.reports.page import render

TITLES = {"validation": "the log", "comparison": "the models"}


def render_index(reports: Path) -> Path:
    """Write ``index.html`` for a folder of ``<pipeline>/<run>/<report>.html`` and return it."""
    runs = [
        {
            "pipeline": folder.parent.name,
            "name": folder.name,
            "changed": int(max(page.stat().st_mtime for page in pages) * 1000),
            "pages": [
                (page.relative_to(reports).as_posix(), TITLES.get(page.stem, page.stem)) for page in pages
            ],
        }
        for folder in reports.glob("*/*/")
        if (pages := sorted(folder.glob("[!.]*.html"), reverse=True))
    ]
    runs.sort(key=lambda run: run["changed"], reverse=True)
    index = reports / "index.html"
    render("index.html", {"title": "Reports", "runs": runs}, index)
    return index
