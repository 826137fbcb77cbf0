"""The command line: a server in a process of its own, and what keeps it from starting."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pyarrow.parquet as pq
import pytest

from model_code.serving.__main__ import main

ROOT = Path(__file__).resolve().parents[3]


def free_port():
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return own.getsockname()[1]


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data, {"Content-Type": "application/json"}), timeout=30) as answer:
        return json.load(answer)


def wait_until_ready(process, url):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        assert process.poll() is None, process.stderr.read()
        with suppress(URLError, ConnectionError):
            return ask(f"{url}/health")
        time.sleep(0.1)
    raise TimeoutError(url)


def status_beside_idle_connections(port, idle):
    """Of a request, by the last of some connections."""
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(idle + 1)
        ]
        sockets[-1].sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        return sockets[-1].recv(12).split()[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serves_until_it_is_told_to_stop_and_writes_its_log(number, bundles, split, tmp_path):
    config = tmp_path / "serving.yaml"
    config.write_text(
        f"bundle: /replaced\nbundle_checksum: '{bundles['deminet'].checksum}'\n"
        f"histories: {split / 'events.parquet'}\nmax_connections: 2\n"
        f"prediction_log:\n  folder: {tmp_path / 'log'}\n"
    )
    port, bundle = free_port(), bundles["deminet"]
    command = [sys.executable, "-m", "model_code.serving", "--config", str(config)]
    command += ["--bundle", str(bundle.path), "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            assert wait_until_ready(process, url)["status"] == "ok"
            answer = ask(f"{url}/rank", {"history": [1, 2], "candidates": [3, 4]})
            assert status_beside_idle_connections(port, 2) == b"503"
            end = time.monotonic() + 20
            while status_beside_idle_connections(port, 1) != b"200":  # until the others are closed there too
                assert time.monotonic() < end
            process.send_signal(number)
            assert process.wait(30) == 0, process.stderr.read()
        finally:
            process.kill()
    expected = bundle.ranker().rank([1, 2], [3, 4])
    scores = [candidate["probability"] for candidate in answer["candidates"]]
    assert scores == pytest.approx(expected.tolist(), abs=1e-6)
    (file,) = (tmp_path / "log").iterdir()
    rows = pq.read_table(file).to_pylist()
    assert [(row["request_id"], row["item_id"]) for row in rows] == [
        (answer["request_id"], "3"), (answer["request_id"], "4")
    ]  # fmt: skip


def test_what_keeps_it_from_starting_is_said_in_a_line(bundles, tmp_path):
    config = tmp_path / "serving.yaml"
    for text, message in (
        ("bundel: x\n", f"{config}.bundle: is missing\n{config}.bundel = 'x': there is no such setting"),
        ("bundle: [\n", f"{config}: cannot be read"),
        (f"bundle: {tmp_path}\n", f"{tmp_path}: no bundle"),
        (
            f"bundle: {bundles['din'].path}\nbackend: onnx\n",
            f"{bundles['din'].path}/onnx/model.onnx: missing",
        ),
        (f"bundle: {bundles['din'].path}\nhistories: /nothing\n", "/nothing: cannot be read as Parquet"),
        (
            f"bundle: {bundles['din'].path}\nbundle_checksum: {'a' * 64}\n",
            f"{bundles['din'].path}/bundle.json: is not the one that was registered",
        ),
        (
            "bundle: x\nbundle_checksum: abc\n",
            "serving.bundle_checksum = 'abc': should be 64 hexadecimal digits",
        ),
        ("bundle: x\nport: 0\n", "serving.port = 0: should be a number from 1 to 65535"),
        ("- 1\n", f"{config}: should be settings by name"),
    ):
        config.write_text(text)
        with pytest.raises(SystemExit, match=f"^{re.escape(message)}"):
            main(["--config", str(config)])
    with pytest.raises(SystemExit, match=r"none\.yaml: cannot be read"):
        main(["--config", str(tmp_path / "none.yaml")])
