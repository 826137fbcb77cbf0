"""How results travel between steps: a step writes into a folder and hands over a small handle to it."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from zenml import get_step_context
from zenml.enums import ArtifactType, VisualizationType
from zenml.materializers.base_materializer import BaseMaterializer
from zenml.utils import io_utils

from model_code.files import Folder

CONTENT = "content"  # the handle's folder, inside the artifact's own


def output_folder(output: str | None = None) -> Path:
    """Where the running step writes its output: in the artifact store itself when that is local.

    Args:
        output: name of the output; not needed where there is only one.
    """
    uri = get_step_context().get_output_artifact_uri(output)
    if io_utils.is_remote(uri):
        return Path(tempfile.mkdtemp(prefix="output-")) / CONTENT
    return Path(uri) / CONTENT


class FolderMaterializer(BaseMaterializer):
    """Keeps a handle's folder where the step wrote it, or carries it to and from a remote artifact store.

    The content hash lets the cache compare contents: a step that ran again with the same result
    does not make the steps after it run.
    """

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (Folder,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA

    def load(self, data_type: type[Any]) -> Any:
        """Make the handle, from a local copy when the store is remote."""
        folder = f"{self.uri}/{CONTENT}"
        if io_utils.is_remote(self.uri):
            local = tempfile.mkdtemp(prefix="artifact-")
            io_utils.copy_dir(folder, local)
            folder = local
        return data_type(Path(folder))

    def save(self, data: Folder) -> None:
        """Carry the folder into the artifact store, unless the step wrote it there."""
        folder = f"{self.uri}/{CONTENT}"
        if Path(folder) != data.path:
            io_utils.copy_dir(str(data.path), folder)

    def save_visualizations(self, data: Folder) -> dict[str, VisualizationType]:
        """Show the folder's HTML reports beside the artifact."""
        pages = [path.relative_to(data.path) for path in data.path.glob("*.html")]
        return {f"{self.uri}/{CONTENT}/{page}": VisualizationType.HTML for page in pages}

    def compute_content_hash(self, data: Folder) -> str:
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
