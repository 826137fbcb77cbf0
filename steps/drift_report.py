"""Evidently's own view of a window beside the reference, on a sample of rows: a second pair of eyes.

Its thresholds know nothing of users, and it decides nothing here: the verdict is made of all rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from model_code.files import replacing
from model_code.monitoring.features import categories
from model_code.monitoring.observations import Observations
from model_code.monitoring.settings import MonitoringSettings

if TYPE_CHECKING:
    import pandas as pd

NUMERICAL = ["log_gap", "log_history_length", "popularity_decile", "score"]
CATEGORICAL = ["category", "hour", "item_known", "user_known"]


def render_drift_report(
    reference: Observations, window: Observations, settings: MonitoringSettings, out: Path
) -> None:
    """Write Evidently's report as one HTML file, about 4 MB.

    Args:
        reference: the reference.
        window: the window.
        settings: ``sample_rows``, at most, are taken of either, drawn by ``seed``.
        out: the file.
    """
    from evidently import BinaryClassification, DataDefinition, Dataset, Report  # noqa: PLC0415 - slow
    from evidently.presets import ClassificationQuality, DataDriftPreset  # noqa: PLC0415

    old, new = frames(reference, window, settings)
    labelled = all(frame["label"].nunique() == 2 for frame in (old, new))
    task = [BinaryClassification(target="label", prediction_probas="score", pos_label=1)]
    definition = DataDefinition(
        numerical_columns=NUMERICAL,
        categorical_columns=CATEGORICAL,
        classification=task if labelled else None,
    )
    metrics = [DataDriftPreset(columns=[*NUMERICAL, *CATEGORICAL], method="psi")]
    if labelled:
        old, new = (frame.dropna(subset="label").astype({"label": int}) for frame in (old, new))
        metrics.append(ClassificationQuality())
    current, past = (Dataset.from_pandas(frame, data_definition=definition) for frame in (new, old))
    report = Report(metrics).run(current, past)  # the current data come first
    with replacing(out) as temporary:
        report.save_html(str(temporary))


def frames(
    reference: Observations, window: Observations, settings: MonitoringSettings
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Samples of the reference and of the window, in columns that Evidently reads well.

    It cuts numbers into bins of equal width: heavy tails need logarithms, ids no place at all.
    """
    binned = categories(reference, window)
    names = np.array(binned.bins if binned else ["none"])
    codes = (binned.reference, binned.window) if binned else (None, None)
    tables = (reference, window)
    first, second = (
        _frame(table, names[np.zeros(len(table), int) if code is None else code], settings, number)
        for number, (table, code) in enumerate(zip(tables, codes, strict=True))
    )
    return first, second


def _frame(
    table: Observations, category: NDArray[np.str_], settings: MonitoringSettings, number: int
) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - slow to import

    rows = np.arange(len(table))
    if len(rows) > settings.sample_rows:
        rng = np.random.default_rng([settings.seed, number])
        rows = np.sort(rng.choice(rows, settings.sample_rows, replace=False))
    gap = table.column("gap_ms").astype(np.float64)[rows]
    return pd.DataFrame(
        {
            "log_gap": np.log1p(np.maximum(gap, 0)),
            "log_history_length": np.log1p(table.column("history_length")[rows]),
            "popularity_decile": table.column("popularity_decile")[rows].astype(np.int64),
            "score": table.column("score")[rows].astype(np.float64),
            "category": category[rows].astype(str),
            "hour": (table.column("time")[rows] // 3_600_000 % 24).astype(str),
            "item_known": table.column("item_known")[rows].astype(str),
            "user_known": table.column("user_known")[rows].astype(str),
            "label": table.column("label")[rows].astype(np.float64),
        }
    )
