from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from model_code.evaluation.scores import SCHEMA, write_scores


def score_columns(quality: float, users: int = 80, seed: int = 0) -> dict[str, np.ndarray]:
    """Columns of `SCHEMA`; samples depend on the seed alone, scores on ``quality`` too."""
    generator = np.random.default_rng(seed)
    groups = np.repeat(np.arange(users), 3)
    user, group = np.repeat(groups, 5), np.repeat(np.arange(len(groups)), 5)
    label = np.tile(np.array([1, 0, 0, 0, 0], np.int8), len(groups))
    logit = (quality * label + generator.normal(size=len(label)) - 1.5).astype(np.float32)
    return {
        "sample_id": np.arange(len(label)),
        "group": group,
        "user": user,
        "label": label,
        "score": (1 / (1 + np.exp(-logit))).astype(np.float32),
        "logit": logit,
        "item_known": generator.random(len(label)) < 0.7,
        "user_known": user % 3 > 0,
        "history_length": (1 + group % 25).astype(np.int32),
        "repeat": generator.random(len(label)) < 0.2,
    }


def write_columns(path: Path, columns: dict[str, np.ndarray]) -> Path:
    arrays = [pa.array(columns[field.name], type=field.type) for field in SCHEMA]
    write_scores(path, [pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)])
    return path


@pytest.fixture
def scored(tmp_path):
    """A function that writes simulated scores of a given quality and returns the file."""

    def write(name: str, quality: float, **changes: np.ndarray) -> Path:
        return write_columns(tmp_path / f"{name}.parquet", score_columns(quality) | changes)

    return write
