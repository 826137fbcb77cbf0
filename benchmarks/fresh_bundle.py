"""Bundles with fresh weights, to time what uses them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from model_code.bundle import ONNX, Bundle, extend_bundle, write_bundle
from model_code.export import export_onnx
from model_code.groups import LogShape
from model_code.models.table import MODELS, build
from model_code.sequences import vocabulary as vocabularies
from model_code.sequences.codes import FIRST_ID

ITEMS, CATEGORIES, HISTORY = 100_000, 500, 50


def fresh_bundle(name: str, folder: Path) -> Bundle:
    """Write a bundle of a model for histories of 50 events, with items numbered from 0 on.

    Args:
        name: of the model in the table.
        folder: where the bundle and the vocabulary that it copies are made.
    """
    vocabulary = folder / f"{name}-vocabulary"
    vocabulary.mkdir()
    category = FIRST_ID + np.arange(ITEMS, dtype=np.int32) % CATEGORIES
    for file, key, size in (
        (vocabularies.ITEMS, "item_id", ITEMS),
        (vocabularies.CATEGORIES, "category_id", CATEGORIES),
        (vocabularies.USERS, "user_id", 1),
    ):
        pq.write_table(pa.table({key: np.arange(size), "category": category[:size]}), vocabulary / file)
    sizes = vocabularies.Vocabulary.load(vocabulary).sizes
    settings = MODELS[name].defaults()
    shape = LogShape(sizes, HISTORY, torch.ones(sizes.items, dtype=torch.int64))
    torch.manual_seed(0)
    return write_bundle(
        folder / name,
        name=name,
        settings=settings,
        model=build(name, settings, shape),
        shape=shape,
        vocabulary=vocabulary,
        history=[],
        details={},
    )


def with_onnx(bundle: Bundle, folder: Path) -> Bundle:
    """Write into a folder a bundle with its model as ONNX, as a registered one has it."""
    length = bundle.manifest["max_length"]
    write = {ONNX: lambda path: export_onnx(bundle.load_model(), length, path)}
    return extend_bundle(bundle, folder / "bundle", write, {})
