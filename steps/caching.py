"""What a step's cached result depends on, beyond its parameters and inputs.

The orchestrator's cache key covers the source of the step function alone. A step here is a few lines that
call `model_code`, so its key takes in every module of this project that the step's module imports, directly
or not, and the version of the raw files that it reads.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from zenml.config import CachePolicy
from zenml.config.source import Source

from model_code.events.raw_files import find_files
from model_code.events.readers import READERS
from model_code.events.source import SourceSettings
from model_code.fingerprints import fingerprint

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("model_code", "steps", "pipelines")
HASHES = ROOT / "checkpoints" / "file_hashes.json"


def cache_policy(module: str) -> CachePolicy:
    """Cache policy of a step: parameters and inputs, and what the module's own ``version()`` returns."""
    return CachePolicy(cache_func=Source.from_import_path(f"{module}.version"))


def code_version(*modules: str, without: Collection[str] = ()) -> str:
    """Hash of the sources of ``modules`` and of all project modules that they import, templates included.

    Imports inside functions count; packages from outside the project do not (the constraints file pins them).

    Args:
        modules: where to start.
        without: modules that are left out, with what only they import.
    """
    digest = hashlib.sha256()
    for path in sorted(_closure(modules, without)):
        digest.update(str(path.relative_to(ROOT)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def raw_files(source: SourceSettings) -> dict[str, Path]:
    """A source's raw files, those that tell of categories included, by setting and name in its folder.

    Raises:
        model_code.events.errors.IngestError: when there are none.
    """
    found = {setting: find_files(place, READERS, setting) for setting, place in source.paths().items()}
    return {f"{setting}/{files.name(path)}": path for setting, files in found.items() for path in files.paths}


def raw_version(source: SourceSettings) -> str:
    """Version of a source's raw files; raises as `raw_files` does."""
    return files_version(raw_files(source))


def files_version(files: Mapping[str, Path]) -> str:
    """Hash of names and contents: the same on every machine, whatever was copied, touched or rewritten."""
    return fingerprint(files, HASHES)


def _closure(modules: Iterable[str], without: Collection[str] = ()) -> set[Path]:
    seen: set[Path] = set()
    left_out = {_source(module) for module in without}
    queue = list(modules)
    while queue:
        path = _source(queue.pop())
        if path is None or path in seen or path in left_out:
            continue
        seen.add(path)
        seen.update((path.parent / "templates").glob("*"))
        seen.update(path.parent.glob("*.[ch]"))  # kernels
        queue.extend(_imports(path))
    return seen


def _source(module: str) -> Path | None:
    """The file of a project module; ``None`` for a name that is not one (a class or a function, say)."""
    folder = ROOT.joinpath(*module.split("."))
    for path in (folder.with_suffix(".py"), folder / "__init__.py"):
        if path.is_file():
            return path
    return None


def _imports(path: Path) -> Iterator[str]:
    """Names of project modules that a file imports, and of the packages around them."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.split(".")[0] in PACKAGES:
                parts = name.split(".")
                yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))
