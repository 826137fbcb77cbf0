"""How results travel between steps: a step writes into a folder and hands over a small handle to it."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from zenml import get_step_context
from zenml.enums import ArtifactType, VisualizationType
from zenml.materializers.base_materializer import BaseMaterializer
from zenml.utils import io_utils

from model_code.bundle import Bundle
from model_code.evaluation.comparison import Comparison
from model_code.evaluation.evaluate import Evaluation
from model_code.evaluation.gates import Verdict
from model_code.events.click_log import ClickLog
from model_code.events.split import SplitLog
from model_code.events.validation import ValidationResult
from model_code.files import read_json
from model_code.sequences.data import SequenceData
from model_code.settings import parse

CONTENT = "content"  # the handle's folder, inside the artifact's own


class FolderHandle(Protocol):
    """Something that a step returns: made of a folder, and able to say which."""

    @property
    def path(self) -> Path:
        """The folder."""
        ...


def output_folder(output: str | None = None) -> Path:
    """Where the running step writes its output: in the artifact store itself when that is local.

    Args:
        output: name of the output; not needed where there is only one.
    """
    uri = get_step_context().get_output_artifact_uri(output)
    if io_utils.is_remote(uri):
        return Path(tempfile.mkdtemp(prefix="output-")) / CONTENT
    return Path(uri) / CONTENT


@dataclass(frozen=True)
class SequenceFolder:
    """A handle to prepared sequences."""

    path: Path

    def load(self) -> SequenceData:
        """Open them, memory-mapped."""
        return SequenceData.load(self.path)


@dataclass(frozen=True)
class ValidationFolder:
    """A handle to what validation found, and to its report."""

    path: Path

    @property
    def result(self) -> ValidationResult:
        """All outcomes."""
        return ValidationResult.load(self.path / "result.json")

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / "validation.html"


@dataclass(frozen=True)
class EvaluationFolder:
    """A handle to a model's evaluation, and to the scores that it was made from."""

    path: Path

    @property
    def evaluation(self) -> Evaluation:
        """Metrics, intervals, slices and curves."""
        return Evaluation.read(self.path / "evaluation.json")

    @property
    def scores(self) -> Path:
        """The table of scored samples."""
        return self.path / "scores.parquet"


@dataclass(frozen=True)
class ComparisonFolder:
    """A handle to the main model's differences to the others."""

    path: Path

    @property
    def comparison(self) -> Comparison:
        """Paired differences, by model."""
        return Comparison.read(self.path / "comparison.json")


@dataclass(frozen=True)
class VerdictFolder:
    """A handle to the verdict of the gates, and to the comparison report."""

    path: Path

    @property
    def verdict(self) -> Verdict:
        """All checks and whether they hold."""
        return parse(Verdict, read_json(self.path / "verdict.json"), "verdict")

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / "comparison.html"


class FolderMaterializer(BaseMaterializer):
    """Keeps a handle's folder where the step wrote it, or carries it to and from a remote artifact store.

    The content hash lets the cache compare contents: a step that ran again with the same result
    does not make the steps after it run.
    """

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (
        Bundle,
        ClickLog,
        ComparisonFolder,
        EvaluationFolder,
        SequenceFolder,
        SplitLog,
        ValidationFolder,
        VerdictFolder,
    )
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA

    def load(self, data_type: type[Any]) -> Any:
        """Make the handle, from a local copy when the store is remote."""
        folder = f"{self.uri}/{CONTENT}"
        if io_utils.is_remote(self.uri):
            local = tempfile.mkdtemp(prefix="artifact-")
            io_utils.copy_dir(folder, local)
            folder = local
        return data_type(Path(folder))

    def save(self, data: FolderHandle) -> None:
        """Carry the folder into the artifact store, unless the step wrote it there."""
        folder = f"{self.uri}/{CONTENT}"
        if Path(folder) != data.path:
            io_utils.copy_dir(str(data.path), folder)

    def save_visualizations(self, data: FolderHandle) -> dict[str, VisualizationType]:
        """Show the folder's HTML reports beside the artifact."""
        pages = [path.relative_to(data.path) for path in data.path.glob("*.html")]
        return {f"{self.uri}/{CONTENT}/{page}": VisualizationType.HTML for page in pages}

    def compute_content_hash(self, data: FolderHandle) -> str:
        """Hash of all file names and contents."""
        return folder_hash(data.path)


def folder_hash(folder: Path) -> str:
    """Hash of all file names and contents in a folder."""
    digest = hashlib.sha256()
    for path in sorted(item for item in folder.rglob("*") if item.is_file()):
        digest.update(str(path.relative_to(folder)).encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
