"""What is kept of a whole grid, in one folder."""

from __future__ import annotations

import shutil
from dataclasses import asdict

from model_code.benchmark.cell import Cell, CellFolder, CellResult
from model_code.benchmark.grid import Outcome
from model_code.bundle import Bundle
from model_code.files import Folder, read_json, write_json
from model_code.settings import parse


class GridFolder(Folder):
    """A handle to the finished cells of a grid: evaluations and histories of all, the model of one."""

    @property
    def bundle(self) -> Bundle:
        """The model that figures are drawn of."""
        return Bundle(self.path / "bundle")

    @property
    def failures(self) -> dict[str, str]:
        """Why cells have failed, by name."""
        failures: dict[str, str] = read_json(self.path / "failures.json")
        return failures

    def keep(self, outcome: Outcome, main: str) -> None:
        """Copy what tables need of each finished cell, and the first whole model labelled ``main``.

        The scores, and the weights of the others, stay where they were made: together they would take more
        room than the log.
        """
        write_json(self.path / "failures.json", outcome.failures)
        for cell, folder in outcome.finished:
            own = self._cell(cell.name)
            own.bundle.path.mkdir(parents=True)
            shutil.copy(folder.evaluation, own.evaluation)
            for file in folder.bundle.path.glob("*.json"):
                shutil.copy(file, own.bundle.path)
            write_json(own.path / "cell.json", asdict(cell))
            if cell.choice.label == main and not self.bundle.path.exists():
                shutil.copytree(folder.bundle.path, self.bundle.path)

    @property
    def results(self) -> list[CellResult]:
        """What tables and figures need of each cell, by name."""
        files = sorted((self.path / "cells").glob("*/cell.json"))
        return [CellFolder(file.parent).result(parse(Cell, read_json(file), file.name)) for file in files]

    def _cell(self, name: str) -> CellFolder:
        return CellFolder(self.path / "cells" / name)
