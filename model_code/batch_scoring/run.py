"""Scores every wanted pair of user and item, and writes them, ranked by user."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from model_code.batch_scoring.batches import Batch, batches
from model_code.batch_scoring.plan import Plan, make_plan
from model_code.batch_scoring.scorer import Scorer
from model_code.batch_scoring.settings import BatchScoringSettings
from model_code.bundle import Bundle
from model_code.events.click_log import ClickLog
from model_code.events.engine import EngineSettings, scratch_folder
from model_code.events.parquet_files import ROW_GROUP
from model_code.files import Folder, read_json, replacing, write_json

ALL_SEEN = "every candidate was in the user's log"
Report = Callable[[int, int], None]  # users done, users in all


class BatchScores(Folder):
    """A folder with the scores of many users.

    ``scores.parquet``: ``user_id``, ``item_id`` as logged, ``score`` (click probability) and ``rank`` (from
    1), by user and rank; equal scores are ranked by item id.
    ``unscored.parquet``: ``user_id`` and ``reason`` of every user who has no row there.
    ``manifest.json``: counts, the moment and the settings.
    """

    @property
    def scores(self) -> Path:
        """The scores."""
        return self.path / "scores.parquet"

    @property
    def unscored(self) -> Path:
        """Who has none, and why."""
        return self.path / "unscored.parquet"

    @property
    def manifest(self) -> dict[str, Any]:
        """The counts."""
        manifest: dict[str, Any] = read_json(self.path / "manifest.json")
        return manifest


def score_log(
    log: ClickLog,
    bundle: Bundle,
    settings: BatchScoringSettings,
    engine: EngineSettings,
    out: Path,
    device: torch.device | str = "cpu",
    report: Report = lambda done, users: None,
) -> BatchScores:
    """Score users and candidates by their histories in a log.

    What is on the way lies on disk: memory holds a batch, the model and its vocabulary, and the candidates
    where they are the same for all users. A score is that of `Ranker.rank` for the log's categories: each
    event's own, and a candidate's as `model_code.batch_scoring.coding.code_candidates` finds it.

    Args:
        log: the events.
        bundle: the model.
        settings: users, candidates and moment.
        engine: how much of the machine to use for sorting, and where to spill.
        out: the folder to write; an old one is replaced, on success only.
        device: to score on.
        report: told of the progress.

    Raises:
        model_code.batch_scoring.inputs.BatchScoringError: when a file cannot be used, or the model gives
            scores that are no numbers.
        model_code.bundle.BundleError: when the bundle is not whole.
        model_code.settings.SettingsError: when there is no such spill folder.
    """
    with scratch_folder(engine) as scratch, replacing(out) as folder:
        folder.mkdir()
        # Before the plan, which reads the bundle as well: this is where it is verified.
        scorer = Scorer(bundle, torch.device(device), settings.scores_per_batch)
        plan = make_plan(log, bundle, settings, engine, scratch)
        counts = _Counts(plan)
        with _Writer(BatchScores(folder), plan) as writer:
            for batch in batches(plan, settings.scores_per_batch, exclude_seen=settings.exclude_seen):
                scores = scorer.score(plan, batch)
                counts.add(batch, writer.write(batch, scores, settings.top_n))
                report(batch.users.stop, len(plan.user))
        moment = settings.moment(log.manifest["time"]["last"])
        write_json(folder / "manifest.json", {"as_of": moment, **plan.counts, **counts.totals})
    return BatchScores(out)


class _Counts:
    """What became of the users."""

    def __init__(self, plan: Plan) -> None:
        self.totals = {"scored_users": len(plan.user), "scores": 0, "rows": 0, "excluded_as_seen": 0}
        self.totals["users_with_all_seen"] = 0

    def add(self, batch: Batch, rows: int) -> None:
        """Count a batch, of which so many rows were written."""
        left_out = int(np.count_nonzero(~batch.wanted.any(1)))
        self.totals["scores"] += int(np.count_nonzero(batch.wanted))
        self.totals["rows"] += rows
        self.totals["excluded_as_seen"] += batch.seen
        self.totals["users_with_all_seen"] += left_out
        self.totals["scored_users"] -= left_out


class _Writer:
    """Streams ranked scores, and users without any, in row groups of one size."""

    def __init__(self, folder: BatchScores, plan: Plan) -> None:
        self.plan = plan
        users = pq.read_schema(plan.unscored)
        items = plan.candidates.schema if plan.candidates is not None else pq.read_schema(plan.pairs)
        self.schema = pa.schema(
            [
                pa.field("user_id", users.field("user_id").type, nullable=False),
                pa.field("item_id", items.field("item_id").type, nullable=False),
                pa.field("score", pa.float32(), nullable=False),
                pa.field("rank", pa.int32(), nullable=False),
            ]
        )
        self._scores = pq.ParquetWriter(folder.scores, self.schema, compression="zstd")
        self._unscored = pq.ParquetWriter(folder.unscored, users, compression="zstd")
        self._waiting: list[pa.Table] = []

    def __enter__(self) -> _Writer:
        with pq.ParquetFile(self.plan.unscored) as file:
            for batch in file.iter_batches(ROW_GROUP):
                self._unscored.write_batch(batch)
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._scores.close()
        self._unscored.close()

    def write(self, batch: Batch, scores: NDArray[np.float32], top_n: int | None) -> int:
        """Write the best candidates of each user; returns how many rows these are."""
        user, column, rank = _ranked(batch.wanted, scores, top_n)
        users = self.plan.user_ids.slice(batch.users.start, len(batch.wanted))
        cell = column if batch.by_column else _number(batch.wanted)[user, column]
        columns = [users.take(pa.array(user)), batch.ids.take(pa.array(cell)), scores[user, column], rank]
        self._waiting.append(pa.table(columns, schema=self.schema))
        if sum(table.num_rows for table in self._waiting) >= ROW_GROUP:
            self._flush()
        without = np.flatnonzero(~batch.wanted.any(1))
        if len(without):
            reasons = [users.take(pa.array(without)), pa.array([ALL_SEEN] * len(without))]
            self._unscored.write_table(pa.table(reasons, schema=self._unscored.schema))
        return len(rank)

    def _flush(self) -> None:
        if self._waiting:
            self._scores.write_table(pa.concat_tables(self._waiting), row_group_size=ROW_GROUP)
            self._waiting.clear()


def _ranked(
    wanted: NDArray[np.bool_], scores: NDArray[np.float32], top_n: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Row, column and rank of the best wanted cells of each row, those by row and rank."""
    order = np.argsort(np.where(wanted, -scores, np.inf), axis=1, kind="stable")[:, :top_n]
    kept = np.arange(order.shape[1]) < np.count_nonzero(wanted, axis=1)[:, None]
    row, place = np.nonzero(kept)
    return row, order[row, place], (place + 1).astype(np.int32)


def _number(wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Which of the wanted cells each is, row by row."""
    number: NDArray[np.int64] = np.cumsum(wanted).reshape(wanted.shape) - 1
    return number
