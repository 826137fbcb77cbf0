"""Measurements of a server, for Prometheus. No label has a user's or an item's id."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
CANDIDATES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class Metrics:
    """The metrics of one server; in a registry of their own, so that a process can hold several."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._registry = registry
        self.model = Info("deminet_model", "What is being served.", registry=registry)
        self.requests = Counter(
            "deminet_requests",
            "Requests to rank, by the status of the answer.",
            ["status"],
            registry=registry,
        )
        self.seconds = Histogram(
            "deminet_request_seconds",
            "From the arrival of a request to rank to its answer.",
            buckets=SECONDS,
            registry=registry,
        )
        self.scoring_seconds = Histogram(
            "deminet_scoring_seconds", "Of it, without waiting.", buckets=SECONDS, registry=registry
        )
        self.candidates = Histogram(
            "deminet_candidates", "Candidates of answered requests.", buckets=CANDIDATES, registry=registry
        )
        self.items = Counter(
            "deminet_items", "Items of answered requests, by what they are.", ["role"], registry=registry
        )
        self.unknown_items = Counter(
            "deminet_unknown_items",
            "Of them, items that the model was not trained on.",
            ["role"],
            registry=registry,
        )
        self.log_rows = Counter(
            "deminet_prediction_log_rows",
            "Candidates that the prediction log has written, or dropped as it could not.",
            ["outcome"],
            registry=registry,
        )
        self.log_failures = Counter(
            "deminet_prediction_log_failures", "Attempts to write a file that failed.", registry=registry
        )
        self._waiting = Gauge("deminet_waiting", "Requests that wait or are computed.", registry=registry)
        # Present from the start, as a rate over a counter that appears later misses its first step.
        for role in ("history", "candidate"):
            self.items.labels(role)
            self.unknown_items.labels(role)
        for outcome in ("written", "dropped"):
            self.log_rows.labels(outcome)

    def watch_waiting(self, waiting: Callable[[], float]) -> None:
        """Let ``waiting`` be asked whenever metrics are."""
        self._waiting.set_function(waiting)

    def count_items(self, role: str, items: int, known: int) -> None:
        """Count some items of a request, ``known`` of them known."""
        self.items.labels(role).inc(items)
        self.unknown_items.labels(role).inc(items - known)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)
