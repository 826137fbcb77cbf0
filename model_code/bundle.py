"""A trained model on disk: weights, settings, vocabularies, metrics and card, each file with a checksum."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from model_code.checksums import checksum as checksum_of
from model_code.checksums import checksums, fault
from model_code.encoding import Encoder
from model_code.files import Folder, read_json, replacing, write_json
from model_code.groups import Group, LogShape, VocabularySizes
from model_code.models.deminet import DemiNet
from model_code.models.table import build, entry
from model_code.sequences.vocabulary import CATEGORIES, ITEMS, USERS, Vocabulary

FORMAT = 1
WEIGHTS, MANIFEST, VOCABULARY, HISTORY = "model.safetensors", "bundle.json", "vocabulary", "history.json"
ONNX = "onnx"  # folder of `ONNX_MODEL`, and of its weights where these are too large for one file
ONNX_MODEL = "model.onnx"
NEEDED = (WEIGHTS, *(f"{VOCABULARY}/{file}" for file in (ITEMS, CATEGORIES, USERS)))
FIELDS = {"model": str, "settings": dict, "sizes": dict, "max_length": int, "checksums": dict}


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
    """Copy a bundle, and add files to it and details to its manifest.

    Args:
        source: the bundle; it is verified first, so that no damaged file gets a new checksum.
        path: the folder to make.
        files: by name, a file's text (metrics, card), or what writes a file or folder at a path.
        details: what else the manifest should say, as JSON.

    Raises:
        BundleError: when ``source`` is not whole.
    """
    source.verify()
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
    write_json(folder / MANIFEST, {**manifest, "checksums": checksums(folder, MANIFEST)})


def _check(file: Path, manifest: Any) -> None:
    """Refuse a manifest without the fields that a bundle is opened by."""
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if found != FORMAT:
        raise BundleError(f"{file}: format {found!r}, but this version reads {FORMAT}")
    wrong = [name for name, kind in FIELDS.items() if not isinstance(manifest.get(name), kind)]
    if not wrong:
        sizes = manifest["sizes"]
        whole = set(sizes) == set(VocabularySizes._fields) and all(isinstance(n, int) for n in sizes.values())
        wrong = [] if whole else ["sizes"]
    if wrong:
        raise BundleError(f"{file}: {wrong[0]} is missing or of another type; copy the bundle again")
    if unlisted := set(NEEDED) - set(manifest["checksums"]):
        raise BundleError(f"{file}: has no checksum of {min(unlisted)}; copy the bundle again")


class Bundle(Folder):
    """A handle to a bundle's folder."""

    @property
    def manifest(self) -> dict[str, Any]:
        """Name, settings, sizes and details.

        Raises:
            BundleError: when there is none, when it is of a format that this version does not read, or when
                it lacks what a bundle is opened by.
        """
        try:
            manifest: dict[str, Any] = read_json(self.path / MANIFEST)
        except (OSError, ValueError) as error:
            raise BundleError(f"{self.path}: no bundle ({error})") from None
        _check(self.path / MANIFEST, manifest)
        return manifest

    @property
    def history(self) -> list[dict[str, Any]]:
        """Records of the training, one a pass."""
        records: list[dict[str, Any]] = read_json(self.path / HISTORY)
        return records

    @property
    def checksum(self) -> str:
        """Of the manifest, and through the checksums in it, of every file of the bundle."""
        return checksum_of(self.path / MANIFEST)

    @property
    def identity(self) -> str:
        """A name that no other bundle has: the kind of model and the start of its checksum."""
        return f"{self.manifest['model']}-{self.checksum[:12]}"

    def verify(self, checksum: str | None = None) -> None:
        """Compare every file with its checksum; a file that has none, or is a link, is refused too.

        The checksums are in the manifest: they find damage, and files exchanged by someone who leaves the
        manifest alone. Against someone who writes the manifest anew only a checksum kept elsewhere helps: the
        registry keeps one with each version.

        Args:
            checksum: of the manifest, as kept elsewhere; ``None`` takes the manifest as it is.

        Raises:
            BundleError: naming the first file that is missing, changed or not part of the bundle.
        """
        expected = self.manifest["checksums"]
        if checksum is not None and self.checksum != checksum:
            raise BundleError(f"{self.path / MANIFEST}: is not the one that was registered; copy it again")
        if found := fault(self.path, expected, MANIFEST):
            raise BundleError(found)

    @property
    def vocabulary(self) -> Vocabulary:
        """The ids that the model knows.

        Raises:
            BundleError: when its files cannot be read.
        """
        try:
            return Vocabulary.load(self.path / VOCABULARY)
        except (OSError, pa.ArrowException) as error:
            raise BundleError(f"{self.path / VOCABULARY}: no vocabulary ({error})") from None

    def load_model(self, device: str | torch.device = "cpu") -> nn.Module:
        """Rebuild the model in evaluation mode, after `verify`.

        Nothing is ever unpickled: weights are safetensors, the rest is JSON and Parquet.

        Raises:
            BundleError: when the bundle is not whole, or its weights are not those of its model.
        """
        self.verify()
        manifest = self.manifest
        sizes = VocabularySizes(**manifest["sizes"])
        shape = LogShape(sizes, manifest["max_length"], torch.zeros(sizes.items, dtype=torch.int64))
        name = manifest["model"]
        settings: Any = entry(name).parse(manifest["settings"], f"{self.path / MANIFEST}: settings")
        model = build(name, settings, shape)
        try:
            model.load_state_dict(load_file(self.path / WEIGHTS))
        except (SafetensorError, RuntimeError) as error:
            raise BundleError(f"{self.path / WEIGHTS}: no weights of {name!r} ({error})") from None
        return model.to(device).eval()

    def ranker(self, device: str | torch.device = "cpu") -> Ranker:
        """Open the bundle for scoring logged ids."""
        return Ranker(self, device)


class Explained(NamedTuple):
    """Scores of C candidates, and how their K interest experts shared the say."""

    probability: NDArray[np.float32]  # (C,)
    confidence: NDArray[np.float32]  # (C, K), sums to 1 over K


class Ranker:
    """Scores candidates for a history, both given by the ids of the log."""

    def __init__(self, bundle: Bundle, device: str | torch.device) -> None:
        self.model = bundle.load_model(device)
        self.device = torch.device(device)
        self.max_length: int = bundle.manifest["max_length"]
        self.vocabulary = bundle.vocabulary
        self._encode = Encoder(self.vocabulary, self.max_length)

    @torch.inference_mode()
    def rank(
        self,
        history: Sequence[Any],
        candidates: Sequence[Any],
        user: Any = None,
        history_categories: Sequence[Any] | None = None,
        candidate_categories: Sequence[Any] | None = None,
    ) -> NDArray[np.float32]:
        """Click probabilities of the candidates, (C,).

        Args:
            history: item ids as logged, oldest first; the most recent ``max_length`` count. Ids that the
                model was not trained on are taken as unknown.
            candidates: item ids as logged.
            user: user id as logged; only models with a user embedding look at it.
            history_categories: the events' category ids as logged, one for each item of ``history``. As in
                training, an event's own category counts, whatever else is known of its item; ``None`` and
                ids that the model was not trained on are taken as unknown. Left out, items have the category
                that the vocabulary has for them, which for an unknown item is unknown.
            candidate_categories: likewise, one for each of ``candidates``.

        Raises:
            ValueError: for an empty history, no candidates, or not as many categories as items.
            TypeError: when ids are not of the type of the log's.
        """
        group = self._group(history, candidates, user, history_categories, candidate_categories)
        scores: NDArray[np.float32] = self._probability(group)
        return scores

    @property
    def explains(self) -> bool:
        """Whether the model has interest experts, whose confidences `explain` tells."""
        return _interest_experts(self.model) is not None

    @torch.inference_mode()
    def explain(
        self,
        history: Sequence[Any],
        candidates: Sequence[Any],
        user: Any = None,
        history_categories: Sequence[Any] | None = None,
        candidate_categories: Sequence[Any] | None = None,
    ) -> Explained:
        """Do what `rank` does, and return the confidence in each interest expert with the probabilities.

        Raises:
            ValueError: as `rank`.
            TypeError: as `rank`, or when the model has no interest experts.
        """
        model = _interest_experts(self.model)
        if model is None:
            raise TypeError("the model has no interest experts, whose confidences could be told")
        group = self._group(history, candidates, user, history_categories, candidate_categories)
        return Explained(self._probability(group), model.interests(group).confidence[0].cpu().numpy())

    def known(self, items: Sequence[Any]) -> NDArray[np.bool_]:
        """Tell which items the model was trained on, (n,)."""
        return self._encode.known(items)

    def _probability(self, group: Group) -> NDArray[np.float32]:
        """(C,) for a group of one history."""
        scores: NDArray[np.float32] = torch.sigmoid(self.model(group).logits[0]).float().cpu().numpy()
        return scores

    def _group(self, *asked: Any) -> Group:
        arrays = self._encode(*asked)
        return Group(*(torch.from_numpy(array).to(self.device) for array in arrays))


def _interest_experts(model: nn.Module) -> DemiNet | None:
    """The model, if it has an expert for each interest."""
    return model if isinstance(model, DemiNet) and model.settings.experts == "interests" else None
