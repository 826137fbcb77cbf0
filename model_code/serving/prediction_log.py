"""Writes answers to Parquet files for monitoring, without ever making a request wait or fail."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from model_code.files import replacing
from model_code.monitoring.prediction_log import SCHEMA
from model_code.serving.metrics import Metrics
from model_code.serving.settings import PredictionLogSettings

logger = logging.getLogger(__name__)


class Answered(NamedTuple):
    """A request and its scores."""

    request_id: str
    time: int  # of the request, ms since 1970 UTC
    user: str | None
    items: pa.Array  # (C,) as asked for, as text
    scores: NDArray[np.float32]  # (C,)
    history_length: int  # events that the model was shown
    last_event_time: int | None  # ms since 1970 UTC


class PredictionLog:
    """Collects answers, and writes them from a thread of its own: by number, by time, and when it is closed.

    What cannot be written (a full disk, a folder without access) is kept and tried again; when memory for it
    is used up, further answers are dropped. So are answers that make no file, as they would stand in the way
    of all others. Failures and dropped rows are counted.
    """

    def __init__(self, settings: PredictionLogSettings, model_version: str, metrics: Metrics) -> None:
        """Start the thread; the folder is made with the first file."""
        self._settings, self._version, self._metrics = settings, model_version, metrics
        self._changed = threading.Condition()
        self._answers: list[Answered] = []
        self._rows = 0
        self._closing, self._failing = False, False
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    def add(self, answered: Answered) -> None:
        """Take an answer, to be written later."""
        rows = len(answered.scores)
        with self._changed:
            fits = self._rows + rows <= self._settings.rows_in_memory
            if fits:
                self._answers.append(answered)
                self._rows += rows
                if self._rows >= self._settings.rows_per_file:
                    self._changed.notify()
        if not fits:
            self._metrics.log_rows.labels("dropped").inc(rows)

    def close(self) -> None:
        """Write what is left, trying once, and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        if self._rows:
            self._metrics.log_rows.labels("dropped").inc(self._rows)
            logger.error("prediction log: %d rows are lost, they could not be written", self._rows)

    def _run(self) -> None:
        closing = False
        while not closing:
            with self._changed:
                self._changed.wait_for(self._is_due, self._settings.seconds_per_file)
                closing = self._closing  # read here: what was added until then is still written
            self._failing = not self._write()

    def _is_due(self) -> bool:
        # After a failure the time alone counts: by their number, rows would be tried without a pause.
        return self._closing or (not self._failing and self._rows >= self._settings.rows_per_file)

    def _write(self) -> bool:
        """Write all that waits, in files of `rows_per_file`; return whether that can go on."""
        with self._changed:
            answers = list(self._answers)
        return all(self._write_file(some) for some in _files(answers, self._settings.rows_per_file))

    def _write_file(self, answers: Sequence[Answered]) -> bool:
        """Write the answers that wait the longest, or drop them; False where they have to wait longer."""
        outcome, rows = "written", _count(answers)
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid4().hex}.parquet"
        try:
            with replacing(Path(self._settings.folder) / name) as temporary:
                pq.write_table(_table(answers, self._version), temporary, compression="zstd")
        except (OSError, MemoryError) as error:  # which may pass
            self._metrics.log_failures.inc()
            logger.warning("prediction log: %s (%d rows wait)", error, self._rows)
            return False
        except Exception:  # whatever it is, this thread must go on
            self._metrics.log_failures.inc()
            logger.exception("prediction log: %d rows are dropped, they make no file", rows)
            outcome = "dropped"
        self._metrics.log_rows.labels(outcome).inc(rows)
        with self._changed:
            del self._answers[: len(answers)]
            self._rows -= rows
        return True


def _files(answers: Sequence[Answered], rows_per_file: int) -> Iterator[Sequence[Answered]]:
    """Cut answers where they fill a file."""
    start = rows = 0
    for end, answer in enumerate(answers, start=1):
        rows += len(answer.scores)
        if rows >= rows_per_file or end == len(answers):
            yield answers[start:end]
            start, rows = end, 0


def _count(answers: Sequence[Answered]) -> int:
    return sum(len(answer.scores) for answer in answers)


def _table(answers: Sequence[Answered], version: str) -> pa.Table:
    lengths = np.array([len(answer.scores) for answer in answers])
    request = np.repeat(np.arange(len(answers)), lengths)
    first = np.cumsum(lengths) - lengths

    def of_request(values: Iterable[Any], kind: pa.DataType) -> pa.Array:
        return pa.array(values, kind).take(pa.array(request))

    columns = {
        "request_id": of_request((answer.request_id for answer in answers), pa.string()),
        "time": of_request((answer.time for answer in answers), pa.int64()),
        "model_version": pa.repeat(version, len(request)),
        "user_id": of_request((answer.user for answer in answers), pa.string()),
        "item_id": pa.concat_arrays([answer.items for answer in answers]),
        "position": pa.array((np.arange(len(request)) - first[request]).astype(np.int32)),
        "score": pa.array(np.concatenate([answer.scores for answer in answers])),
        "history_length": of_request((answer.history_length for answer in answers), pa.int32()),
        "last_event_time": of_request((answer.last_event_time for answer in answers), pa.int64()),
    }
    return pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)
