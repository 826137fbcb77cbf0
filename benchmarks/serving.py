"""Requests a second and latencies of a server of one model, by number of candidates.

    python -m benchmarks.serving --models deminet din --candidates 10 100 1000 --json serving.json

The server is a process of its own on a core of its own, as it is started in production, with a prediction
log. The clients are threads of this process, on the other cores: each sends its next request when it has the
answer to the last one. Their requests have full histories and uniformly drawn items.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml

from benchmarks.apart import ROOT
from benchmarks.fresh_bundle import HISTORY, ITEMS, fresh_bundle, with_onnx
from benchmarks.table import number
from model_code.bundle import Bundle
from model_code.reports.text import table

Row = dict[str, Any]

HOST = "127.0.0.1"
BODIES = 64  # different requests, sent over and over
WARM_UP = 10  # requests of each client that are not timed
START_SECONDS = 120.0


def main() -> None:
    """Measure, print a table and, if asked to, write it as JSON."""
    options = _parse()
    rows: list[Row] = []
    for model in options.models:
        for backend in options.backends:
            with TemporaryDirectory() as name:
                bundle = fresh_bundle(model, Path(name))
                if backend == "onnx":
                    bundle = with_onnx(bundle, Path(name))
                with serving(bundle, backend, Path(name), max(options.candidates)) as port:
                    rows += [
                        {
                            "model": model,
                            "backend": backend,
                            **load(port, candidates, clients, options.seconds),
                        }
                        for candidates in options.candidates
                        for clients in options.clients
                    ]
    print(report(rows))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


@contextmanager
def serving(bundle: Bundle, backend: str, folder: Path, candidates: int) -> Iterator[int]:
    """Start a server on one core, leave the others to this process, and yield the server's port.

    Raises:
        RuntimeError: when it ends before it is ready.
        TimeoutError: when it takes too long.
    """
    with socket.socket() as own:
        own.bind((HOST, 0))
        port = int(own.getsockname()[1])
    config = folder / "serving.yaml"
    settings = {
        "bundle": str(bundle.path),
        "backend": backend,
        "port": port,
        "max_candidates": candidates,
        "prediction_log": {"folder": str(folder / "predictions")},
    }
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    command = [sys.executable, "-m", "model_code.serving", "--config", str(config)]
    cores = _cores()
    _run_on(cores[:1])  # which the server inherits
    with subprocess.Popen(command, cwd=ROOT) as server:
        _run_on(cores[1:] or cores)
        try:
            _wait(server, port)
            yield port
        finally:
            server.terminate()
            _run_on(cores)


def _cores() -> list[int]:
    """Where this process may run; empty where the system cannot tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _run_on(cores: Sequence[int]) -> None:
    if cores:
        os.sched_setaffinity(0, cores)


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with status {server.returncode}, see above")
        try:
            socket.create_connection((HOST, port)).close()
        except ConnectionRefusedError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"no server after {START_SECONDS:g} seconds")


def load(port: int, candidates: int, clients: int, seconds: float) -> Row:
    """Let some clients ask for some seconds."""
    random = np.random.default_rng(candidates)
    bodies = [_body(random, candidates) for _ in range(BODIES)]
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(lambda _: ask(port, bodies[:WARM_UP]), range(clients)))
        before = _scoring(port)
        began = time.perf_counter()
        asked = pool.map(lambda _: ask(port, _until(began + seconds, bodies)), range(clients))
        latencies = np.concatenate([np.array(each) for each in asked])
        elapsed = time.perf_counter() - began
    count, total = (after - earlier for after, earlier in zip(_scoring(port), before, strict=True))
    return {
        "candidates": candidates,
        "clients": clients,
        "requests": len(latencies),
        "requests_per_second": len(latencies) / elapsed,
        "mean_ms": 1e3 * float(latencies.mean()),
        "p50_ms": 1e3 * float(np.quantile(latencies, 0.5)),
        "p99_ms": 1e3 * float(np.quantile(latencies, 0.99)),
        "scoring_ms": 1e3 * total / count,
    }


def _body(random: np.random.Generator, candidates: int) -> bytes:
    history, asked = (random.integers(ITEMS, size=size).tolist() for size in (HISTORY, candidates))
    return json.dumps({"history": history, "candidates": asked}).encode()


def _until(end: float, bodies: Sequence[bytes]) -> Iterator[bytes]:
    for body in cycle(bodies):
        if time.perf_counter() > end:
            return
        yield body


def ask(port: int, bodies: Iterable[bytes]) -> list[float]:
    """Be one client, on one connection; return the seconds that each answer took.

    Raises:
        RuntimeError: for an answer that is none.
    """
    connection = HTTPConnection(HOST, port)
    latencies: list[float] = []
    for body in bodies:
        began = time.perf_counter()
        connection.request("POST", "/rank", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        latencies.append(time.perf_counter() - began)
        if answer.status != 200:
            raise RuntimeError(f"status {answer.status}: {content[:200]!r}")
    connection.close()
    return latencies


def _scoring(port: int) -> tuple[float, float]:
    """Number and seconds of the server's computations so far."""
    connection = HTTPConnection(HOST, port)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    values = dict(re.findall(r"^deminet_scoring_seconds_(count|sum) (\S+)$", text, re.MULTILINE))
    return float(values["count"]), float(values["sum"])


def report(rows: Sequence[Row]) -> str:
    """Lay out what was measured."""
    header = ["model", "backend", "candidates", "clients", "requests/s", "p50 ms", "p99 ms", "scoring ms"]
    names = ("requests_per_second", "p50_ms", "p99_ms", "scoring_ms")
    cells = [
        [row["model"], row["backend"], f"{row['candidates']:,}", str(row["clients"])]
        + [number(row[name]) for name in names]
        for row in rows
    ]
    where = "a core of its own" if len(_cores()) > 1 else "cores that it shares with the clients"
    return f"""# Speed of serving

A server of one process and one thread on {where}. Histories of {HISTORY} events, {ITEMS:,} items. Latencies
as clients see them; scoring is the mean of what the server's own metric says: the look-up of ids, the model,
writing the answer as JSON and noting it in the prediction log.

{table(header, cells)}"""


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["deminet", "din"], metavar="NAME")
    parser.add_argument("--backends", nargs="+", choices=("torch", "onnx"), default=["torch", "onnx"])
    parser.add_argument("--candidates", type=int, nargs="+", default=[10, 100, 1000], metavar="N")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4], metavar="N", help="at a time")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each row")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
