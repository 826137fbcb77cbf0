"""A trained model on disk: weights, settings, vocabularies, metrics and card, each file with a checksum."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from model_code.files import Folder, read_json, replacing, write_json
from model_code.groups import PADDING, UNKNOWN, Group, LogShape, VocabularySizes
from model_code.models.table import build, entry
from model_code.sequences.vocabulary import CATEGORIES, FIRST_ID, ITEMS, USERS, Vocabulary

FORMAT = 1
WEIGHTS, MANIFEST, VOCABULARY, HISTORY = "model.safetensors", "bundle.json", "vocabulary", "history.json"


class BundleError(Exception):
    """The folder is no bundle, or not whole; the message says which file and why."""


def write_bundle(
    path: Path,
    *,
    name: str,
    settings: Any,
    model: nn.Module,
    shape: LogShape,
    vocabulary: Path,
    history: list[dict[str, Any]],
    details: Mapping[str, Any],
) -> Bundle:
    """Write a trained model.

    Args:
        path: the folder to make.
        name: the model's name in the table of models.
        settings: its settings, a dataclass.
        model: its weights and buffers.
        shape: what it was built for.
        vocabulary: the folder of the prepared log, whose vocabulary files are copied.
        history: records of its training.
        details: anything else that should travel with it, as JSON: data version, split, counts, ...
    """
    with replacing(path) as folder:
        folder.mkdir()
        weights = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
        save_file(weights, folder / WEIGHTS)
        (folder / VOCABULARY).mkdir()
        for file in (ITEMS, CATEGORIES, USERS):
            shutil.copy(vocabulary / file, folder / VOCABULARY / file)
        write_json(folder / HISTORY, history)
        manifest = {
            "format": FORMAT,
            "model": name,
            "settings": asdict(settings),
            "sizes": shape.sizes._asdict(),
            "max_length": shape.max_length,
            "torch": torch.__version__,
            **details,
        }
        _seal(folder, manifest)
    return Bundle(path)


def extend_bundle(
    source: Bundle,
    path: Path,
    files: Mapping[str, str | Callable[[Path], None]],
    details: Mapping[str, Any],
) -> Bundle:
    """Copy a bundle and add to it.

    Args:
        source: the bundle.
        path: the folder to make.
        files: what to add, by name: a text (metrics, card), or what writes a file or folder at a path.
        details: what to add to the manifest.
    """
    with replacing(path) as folder:
        shutil.copytree(source.path, folder)
        for name, content in files.items():
            if isinstance(content, str):
                (folder / name).write_text(content, encoding="utf-8")
            else:
                content(folder / name)
        _seal(folder, {**source.manifest, **details})
    return Bundle(path)


def _seal(folder: Path, manifest: dict[str, Any]) -> None:
    manifest.pop("checksums", None)
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name != MANIFEST)
    checksums = {str(file.relative_to(folder)): _checksum(file) for file in files}
    write_json(folder / MANIFEST, {**manifest, "checksums": checksums})


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Bundle(Folder):
    """A handle to a bundle's folder."""

    @property
    def manifest(self) -> dict[str, Any]:
        """Name, settings, sizes and details.

        Raises:
            BundleError: when there is none, or of a format that this version does not read.
        """
        try:
            manifest: dict[str, Any] = read_json(self.path / MANIFEST)
        except (OSError, ValueError) as error:
            raise BundleError(f"{self.path}: no bundle ({error})") from None
        if manifest.get("format") != FORMAT:
            found = manifest.get("format")
            raise BundleError(f"{self.path / MANIFEST}: format {found!r}, but this version reads {FORMAT}")
        return manifest

    @property
    def history(self) -> list[dict[str, Any]]:
        """Records of the training, one a pass."""
        records: list[dict[str, Any]] = read_json(self.path / HISTORY)
        return records

    def verify(self) -> None:
        """Compare every file with its checksum.

        Raises:
            BundleError: naming the first file that is missing or changed.
        """
        for name, expected in self.manifest.get("checksums", {WEIGHTS: "none"}).items():
            file = self.path / name
            if not file.is_file():
                raise BundleError(f"{file}: missing; copy the bundle again")
            if _checksum(file) != expected:
                raise BundleError(f"{file}: differs from its checksum; copy the bundle again")

    def load_model(self, device: str | torch.device = "cpu") -> nn.Module:
        """Rebuild the model in evaluation mode, after `verify`. Nothing is unpickled."""
        self.verify()
        manifest = self.manifest
        sizes = VocabularySizes(**manifest["sizes"])
        shape = LogShape(sizes, manifest["max_length"], torch.zeros(sizes.items, dtype=torch.int64))
        name = manifest["model"]
        settings: Any = entry(name).parse(manifest["settings"], f"{self.path / MANIFEST}: settings")
        model = build(name, settings, shape)
        model.load_state_dict(load_file(self.path / WEIGHTS))
        return model.to(device).eval()

    def ranker(self, device: str | torch.device = "cpu") -> Ranker:
        """Open the bundle for scoring logged ids."""
        return Ranker(self, device)


class Lookup:
    """Vocabulary ids by ids as logged, hashed once; `Vocabulary`, for whole logs, hashes at each call."""

    def __init__(
        self, known: pa.ChunkedArray, encode: Callable[[Collection[Any]], NDArray[np.int32]]
    ) -> None:
        """Hash the ids of ``known``; ``encode`` is the vocabulary's own method for them."""
        self._type, self._encode = known.type, encode
        self._code = dict(zip(known.to_pylist(), count(FIRST_ID), strict=False))

    def __call__(self, ids: Collection[Any]) -> NDArray[np.int32]:
        """Return what ``encode`` does, (n,), and raise what it raises."""
        try:
            logged = pa.array(ids, type=self._type).to_pylist()
        except (pa.ArrowException, OverflowError):
            return self._encode(ids)
        return np.array([self._code.get(id_, UNKNOWN) for id_ in logged], dtype=np.int32)


class Ranker:
    """Scores candidates for a history, both given by the ids of the log."""

    def __init__(self, bundle: Bundle, device: str | torch.device) -> None:
        self.model = bundle.load_model(device)
        self.device = torch.device(device)
        self.max_length: int = bundle.manifest["max_length"]
        self.vocabulary = Vocabulary.load(bundle.path / VOCABULARY)
        self._category = self.vocabulary.item_category
        self._items = Lookup(self.vocabulary.items["item_id"], self.vocabulary.encode_items)

    @cached_property
    def _users(self) -> Lookup:
        return Lookup(self.vocabulary.users["user_id"], self.vocabulary.encode_users)

    @torch.inference_mode()
    def rank(
        self, history: Sequence[Any], candidates: Sequence[Any], user: Any = None
    ) -> NDArray[np.float32]:
        """Click probabilities of the candidates, (C,).

        Args:
            history: item ids as logged, oldest first; the most recent ``max_length`` count. Ids that the
                model was not trained on are taken as unknown.
            candidates: item ids as logged.
            user: user id as logged; only models with a user embedding look at it.

        Raises:
            ValueError: for an empty history or no candidates.
        """
        if len(history) == 0 or len(candidates) == 0:
            raise ValueError("rank needs at least one event of history and one candidate")
        events = self._encode(history[-self.max_length :])
        padding = torch.full((self.max_length - events.shape[1],), PADDING, device=self.device)
        targets = self._encode(candidates)
        user_id = UNKNOWN if user is None else int(self._users([user])[0])
        group = Group(
            history_item=torch.cat([events[0], padding])[None],
            history_category=torch.cat([events[1], padding])[None],
            length=torch.tensor([events.shape[1]], device=self.device),
            candidate_item=targets[0][None],
            candidate_category=targets[1][None],
            user=torch.tensor([user_id], device=self.device),
        )
        scores: NDArray[np.float32] = torch.sigmoid(self.model(group).logits[0]).float().cpu().numpy()
        return scores

    def _encode(self, items: Sequence[Any]) -> Tensor:
        """(2, n): item ids and category ids."""
        ids = self._items(items)
        return torch.from_numpy(np.stack([ids, self._category[ids]])).long().to(self.device)
