"""Cells as a benchmark leaves them, made up: random scores of known quality, and a short training history."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from model_code.analysis.analyse import Analysis
from model_code.analysis.confidences import Candidate, ExpertConfidence
from model_code.analysis.gap_statistic import GapStatistic
from model_code.analysis.interest_map import InterestMap
from model_code.benchmark.cell import CellResult
from model_code.benchmark.facts import Asked, Facts, Machine
from model_code.evaluation.evaluate import EvaluationSettings, evaluate
from model_code.evaluation.scores import SCHEMA, write_scores

QUALITIES = {
    "din": 1.00,
    "dien": 1.03,
    "mind": 0.90,
    "comirec_dr": 0.88,
    "comirec_sa": 0.98,
    "dmin": 1.06,
    "hard_routing": 1.05,
    "multi_avg": 1.12,
    "moe": 1.13,
    "deminet": 1.18,
    "wo_dha": 1.04,
    "wo_ssl": 1.16,
    "wo_ie": 1.06,
    "deminet_k2": 1.10,
    "deminet_k8": 1.19,
    "deminet_k16": 1.17,
    "gcmc": 1.02,
    "lightgcn": 1.05,
    "gat": 1.12,
    "popularity": 0.30,
}
BUDGET = {"learning_rate": 0.001, "batch_size": 256, "epochs": 6, "patience": 2}


def evaluation(folder, quality, seed, users, replicates):
    """Evaluate scores whose samples are always the same, and whose noise is of the users and of the seed."""
    shared, own = np.random.default_rng(0), np.random.default_rng(round(1000 * quality) + 7919 * seed)
    samples = 20 * users
    label = np.tile(np.array([1, 0, 0, 0, 0], np.int8), samples // 5)
    quality = quality + own.normal(scale=0.006)
    logit = quality * label + shared.normal(size=samples) + own.normal(scale=0.25, size=samples) - 1.8
    columns = {
        "sample_id": np.arange(samples),
        "group": np.arange(samples) // 5,
        "user": np.arange(samples) // 20,
        "label": label,
        "score": 1 / (1 + np.exp(-logit)),
        "logit": logit,
        "item_known": np.ones(samples, bool),
        "user_known": np.arange(samples) < samples // 2,
        "history_length": np.full(samples, 3),
        "repeat": label == 1,
    }
    arrays = [pa.array(columns[field.name].astype(field.type.to_pandas_dtype())) for field in SCHEMA]
    path = folder / "scores.parquet"
    write_scores(path, [pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)])
    return evaluate(path, EvaluationSettings(bootstrap_replicates=replicates))


def history(quality, seed, passes):
    """Validation AUC rises and falls again; the best pass is the last but two."""
    noise = np.random.default_rng(seed + round(1000 * quality)).normal(scale=5e-4, size=passes)
    top = 0.5 + 0.2 * quality
    records = []
    for number in range(1, passes + 1):
        distance = passes - 2 - number
        auc = top - (0.03 * (1 - 0.5**distance) if distance > 0 else 0.004 * distance**2) + noise[number - 1]
        records.append(
            {
                "epoch": number,
                "step": 100 * number,
                "samples": 25_600 * number,
                "seconds": 12.5 * number * (1 + quality),
                "loss_cross_entropy": 0.45 / number**0.2,
                "loss_total": 0.46 / number**0.2,
                "validation_auc": float(auc),
                "validation_log_loss": float(0.6 - 0.4 * auc),
            }
        )
    return tuple(records)


def cell(folder, label, seed, *, users=60, replicates=50, quality=None, passes=6, **training):
    """A finished cell."""
    quality = QUALITIES[label] if quality is None else quality
    return CellResult(
        label=label,
        model="deminet" if label.startswith("deminet") else label,
        seed=seed,
        evaluation=evaluation(folder, quality, seed, users, replicates),
        history=history(quality, seed, passes),
        training={
            "settings": {**BUDGET, "seed": seed, **training},
            "device": "cpu",
            "processes": 1,
            "threads": 2,
            "parameters": round(100_000 * (1 + quality)),
        },
    )


def asked(label, tuned=False):
    """A row of the grid."""
    settings = {"embedding_width": 16}
    if label.startswith("deminet"):
        settings["interests"] = int(label.removeprefix("deminet").removeprefix("_k") or 4)
    return Asked(label, "deminet" if label.startswith("deminet") else label, settings, tuned)


def facts(labels, seeds, **changes):
    """What a benchmark states beside its numbers."""
    values = {
        "dataset": "made-up <log>",
        "paper_dataset": None,
        "asked": tuple(asked(label) for label in labels),
        "seeds": tuple(seeds),
        "users": 14_681,
        "items": 8_713,
        "categories": 27,
        "samples": {"fit": 1_001_230, "validation": 111_240, "test": 301_120},
        "preparation": {"sequences.max_length": 20, "sequences.negatives_per_positive": 9},
        "budget": BUDGET,
        "machine": Machine("a processor of its time", 8, 4, "2.11.0"),
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "command": "zenml pipeline run pipelines.benchmark.benchmark_pipeline -c configs/made_up.yaml",
        "data_version": "d41d8cd98f00b204e9800998ecf8427e",
        "date": "2026-11-25",
    }
    return Facts(**{**values, **changes})


def analysis(interests=4, users=2):
    """Figures 4 and 5 and the gap statistic of nothing in particular."""
    generator = np.random.default_rng(0)
    centres = generator.normal(scale=12, size=(interests, 2))
    maps = []
    for number in range(users):
        interest = np.tile(np.arange(interests), 50)
        points = centres[interest] + generator.normal(scale=3, size=(len(interest), 2))
        maps.append(
            InterestMap(
                user=f"user-{number}",
                points=tuple((float(x), float(y)) for x, y in points),
                interest=tuple(interest.tolist()),
                item=tuple(range(len(interest))),
                silhouette=0.41 if interests > 1 else None,
            )
        )
    omega = generator.dirichlet(np.ones(interests), size=5)
    return Analysis(
        maps=tuple(maps),
        confidence=ExpertConfidence(
            user="user-0",
            candidates=tuple(Candidate(f"item-{n}", None if n == 4 else n) for n in range(5)),
            omega=tuple(tuple(row) for row in omega.tolist()),
            probability=(0.12, 0.08, 0.31, 0.05, 0.11),
        ),
        gap=GapStatistic(
            gap=(0.2, 0.31, 0.45, 0.62, 0.6, 0.59, 0.61, 0.6),
            error=(0.02,) * 8,
            chosen=4,
            vectors=1000,
        ),
    )
