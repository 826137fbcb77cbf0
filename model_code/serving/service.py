"""Answers requests: limits, known users, scores, prediction log. Of HTTP it knows the statuses alone."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic_core import to_json

from model_code.bundle import Bundle
from model_code.serving.backends import open_explainer, open_scorer
from model_code.serving.histories import Histories, History
from model_code.serving.metrics import Metrics
from model_code.serving.prediction_log import Answered, PredictionLog
from model_code.serving.schema import Health, RankRequest, id_type, python_type
from model_code.serving.settings import ServingSettings
from model_code.serving.worker import OverloadedError, Worker

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1  # after which who was refused for want of room may try again


class RefusedError(Exception):
    """A request that is not answered: an HTTP status and what to tell the client."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


class Question(NamedTuple):
    """A request whose history is known."""

    request_id: str
    time: int  # ms since 1970 UTC
    history: History
    candidates: list[Any]
    candidate_categories: list[Any] | None
    user: int | str | None
    explain: bool


class Service:
    """One bundle, ready to answer."""

    def __init__(self, settings: ServingSettings) -> None:
        """Load everything, and compute once.

        Raises:
            BundleError: when the bundle is not whole, or not the one of the settings' checksum.
            HistoriesError: when the histories cannot be used.
        """
        self.settings = settings
        bundle = Bundle(Path(settings.bundle))
        bundle.verify(settings.bundle_checksum)
        self._scorer = open_scorer(bundle, settings.backend, settings.threads)
        self._explainer = open_explainer(bundle, self._scorer) if settings.explanations else None
        vocabulary = self._scorer.vocabulary
        item_type, user_type, category_type = (
            ids.type
            for ids in (
                vocabulary.items["item_id"],
                vocabulary.users["user_id"],
                vocabulary.categories["category_id"],
            )
        )
        self.item_type = python_type(item_type)
        self.request_type = RankRequest[id_type(item_type), id_type(user_type), id_type(category_type)]  # type: ignore[misc]
        self._histories = None
        if settings.histories is not None:
            path, length = Path(settings.histories), self._scorer.max_length
            self._histories = Histories.load(path, length, vocabulary)

        self.model: str = bundle.manifest["model"]
        self.version = settings.model_version or bundle.identity
        self.metrics = Metrics()
        self.metrics.model.info({"model": self.model, "version": self.version, "backend": settings.backend})
        self._worker = Worker(settings.threads, settings.max_waiting)
        self.metrics.watch_waiting(lambda: self._worker.unfinished)
        self._warm_up()
        self._log = None
        if settings.prediction_log is not None:
            self._log = PredictionLog(settings.prediction_log, self.version, self.metrics)
        self._since = datetime.now(UTC)

    def health(self) -> Health:
        """What is being served."""
        return Health(
            status="ok",
            model=self.model,
            model_version=self.version,
            backend=self.settings.backend,
            since=self._since.isoformat(timespec="seconds"),
            known_users=0 if self._histories is None else len(self._histories),
            explains=self._explainer is not None,
        )

    async def answer(self, request: RankRequest[Any, Any, Any], request_id: str) -> bytes:
        """Answer a request: a `RankResponse` as JSON.

        Raises:
            RefusedError: when it is beyond a limit, cannot be answered, or comes at a bad time.
        """
        question = self._question(request, request_id)
        try:
            return await self._worker.run(self._compute, question)
        except OverloadedError:
            waiting = self.settings.max_waiting
            raise RefusedError(503, f"{waiting} requests wait already; try again later") from None

    def close(self) -> None:
        """Finish what was accepted, and write the rest of the prediction log."""
        self._worker.close()
        if self._log is not None:
            self._log.close()

    def _question(self, request: RankRequest[Any, Any, Any], request_id: str) -> Question:
        for field, most in (
            ("candidates", self.settings.max_candidates),
            ("history", self.settings.max_history),
        ):
            count = len(getattr(request, field) or ())
            if count > most:
                raise RefusedError(422, f"{field}: {count:,} are too many, this server takes up to {most:,}")
        if request.explain and self._explainer is None:
            raise RefusedError(422, f"explain: {self._why_not()}; leave explain out")
        if request.history is not None:
            history = History(request.history, request.history_categories, request.last_event_time)
        else:
            history = self._known_history(request.user_id)
        now = time.time_ns() // 1_000_000
        return Question(
            request_id,
            now,
            history,
            request.candidates,
            request.candidate_categories,
            request.user_id,
            request.explain,
        )

    def _why_not(self) -> str:
        if not self.settings.explanations:
            return "this server gives no explanations"
        return f"a model of kind {self.model} has no interest experts"

    def _known_history(self, user: Any) -> History:
        history = None if self._histories is None else self._histories.of(user)
        if history is None:
            raise RefusedError(404, "user_id: this server knows no history of this user; give one as history")
        return history

    def _compute(self, question: Question) -> bytes:
        """Score, count and log; runs in the worker's thread."""
        began = time.perf_counter()
        history, candidates = question.history.items, question.candidates
        scores, confidence = self._score(question)
        known = self._scorer.known(candidates)
        length = min(len(history), self._scorer.max_length)
        seen = self._scorer.known(history[-length:])
        body = self._body(question, length, scores, known, confidence)
        self.metrics.candidates.observe(len(candidates))
        self.metrics.count_items("candidate", len(candidates), int(known.sum()))
        self.metrics.count_items("history", length, int(seen.sum()))
        if self._log is not None:
            self._log.add(_answered(question, scores, length))
        self.metrics.scoring_seconds.observe(time.perf_counter() - began)
        return body

    def _body(
        self,
        question: Question,
        length: int,
        scores: NDArray[np.float32],
        known: NDArray[np.bool_],
        confidence: NDArray[np.float32] | None,
    ) -> bytes:
        """A `RankResponse` as JSON; without making one, which would check a thousand candidates again."""
        columns = zip(question.candidates, scores.tolist(), known.tolist(), strict=True)
        ranked: list[dict[str, Any]] = [
            {"item_id": item, "probability": probability, "known": is_known}
            for item, probability, is_known in columns
        ]
        if confidence is not None:
            for candidate, weights in zip(ranked, confidence.tolist(), strict=True):
                candidate["confidence"] = weights
        return to_json(
            {
                "request_id": question.request_id,
                "model_version": self.version,
                "history_length": length,
                "candidates": ranked,
            }
        )

    def _score(self, question: Question) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        history = question.history
        asked = (history.items, question.candidates, question.user)
        categories = (history.categories, question.candidate_categories)
        confidence = None
        if question.explain and self._explainer is not None:
            scores, confidence = self._explainer.explain(*asked, *categories)
        else:
            scores = self._scorer.rank(*asked, *categories)
        if not np.isfinite(scores).all():
            raise FloatingPointError(f"model {self.version} gave scores that are no numbers")
        return scores, confidence

    def _warm_up(self) -> None:
        """Compute at the largest shape, so that the first request finds kernels and memory at hand."""
        vocabulary = self._scorer.vocabulary
        item, user = vocabulary.items["item_id"][0].as_py(), vocabulary.users["user_id"][0].as_py()
        history, candidates = [item] * self._scorer.max_length, [item] * self.settings.max_candidates
        categories: list[None] = [None] * len(candidates)  # so that they are hashed as well
        for explain in {False, self._explainer is not None}:
            question = Question("", 0, History(history, None, None), candidates, categories, user, explain)
            self._worker.warm_up(self._score, question)


def _answered(question: Question, scores: NDArray[np.float32], length: int) -> Answered:
    return Answered(
        request_id=question.request_id,
        time=question.time,
        user=None if question.user is None else str(question.user),
        items=pa.array(list(map(str, question.candidates)), pa.string()),
        scores=scores,
        history_length=length,
        last_event_time=question.history.last_event_time,
    )
