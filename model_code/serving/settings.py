"""What to serve, where, and within which limits."""

from __future__ import annotations

import re
from typing import Literal

from model_code.settings import require, settings

Backend = Literal["torch", "onnx"]


@settings
class PredictionLogSettings:
    """Where answers are written for monitoring (`model_code.monitoring.prediction_log`).

    Attributes:
        folder: of Parquet files.
        rows_per_file: a file is written when so many candidates have been answered, a million at most,
        seconds_per_file: or when so much time has passed.
        rows_in_memory: most rows that wait to be written; further ones are dropped, and counted.
    """

    folder: str
    rows_per_file: int = 100_000
    seconds_per_file: float = 60.0
    rows_in_memory: int = 1_000_000

    def __post_init__(self) -> None:
        for name in ("rows_per_file", "seconds_per_file", "rows_in_memory"):
            value = getattr(self, name)
            require(value > 0, f"prediction_log.{name}", value, "a positive number")
        most = 1_000_000  # with ids of 256 characters, half of what a column of text holds
        require(
            self.rows_per_file <= most, "prediction_log.rows_per_file", self.rows_per_file, f"{most} at most"
        )


@settings
class ServingSettings:
    """A server of one bundle.

    Attributes:
        bundle: its folder.
        bundle_checksum: of its manifest, as the registry keeps it, so that no other bundle is served; null
            takes the bundle as it is.
        backend: what computes: "torch", or "onnx" for ONNX Runtime, which needs ``onnx/model.onnx`` there.
        explanations: let requests ask for them. With "onnx" the model is then kept in PyTorch as well, if it
            has interest experts.
        model_version: what answers, metrics and the prediction log call the model; null takes
            `model_code.bundle.Bundle.identity`, by which monitoring finds its rows.
        histories: Parquet file of the events of known users, ``user_id``, ``item_id``, ``timestamp`` (ms)
            and, if it is there, ``category_id``; null knows no users, so that every request has to bring its
            history.
        host: address to listen at; the default is reached from this machine alone.
        port: likewise.
        threads: of a computation. Requests are computed one at a time; run more servers for more cores.
        max_candidates: most candidates in a request.
        max_history: most events in a request's history, of which the model sees its own most recent ones.
        max_body_bytes: largest request, checked before it is read.
        max_waiting: most requests that wait for their turn; further ones are refused with status 503.
        max_connections: most connections at a time, idle ones too; further ones are refused with status 503.
        body_seconds: longest time in which a client has to send its request's body.
        prediction_log: null writes none.
    """

    bundle: str
    bundle_checksum: str | None = None
    backend: Backend = "torch"
    explanations: bool = True
    model_version: str | None = None
    histories: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    threads: int = 1
    max_candidates: int = 1000
    max_history: int = 1000
    max_body_bytes: int = 1 << 18
    max_waiting: int = 64
    max_connections: int = 256
    body_seconds: float = 10.0
    prediction_log: PredictionLogSettings | None = None

    def __post_init__(self) -> None:
        for name in (
            "threads",
            "max_candidates",
            "max_history",
            "max_body_bytes",
            "max_waiting",
            "max_connections",
            "body_seconds",
        ):
            value = getattr(self, name)
            require(value > 0, f"serving.{name}", value, "a positive number")
        require(0 < self.port < 65_536, "serving.port", self.port, "a number from 1 to 65535")
        checksum = self.bundle_checksum
        is_checksum = checksum is None or re.fullmatch("[0-9a-f]{64}", checksum) is not None
        require(is_checksum, "serving.bundle_checksum", checksum, "64 hexadecimal digits, or null")
        version = self.model_version
        require(version is None or version != "", "serving.model_version", version, "a name, or null")
