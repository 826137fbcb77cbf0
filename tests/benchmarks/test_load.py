"""The load test: a real server, a few requests."""

import os

from benchmarks.fresh_bundle import fresh_bundle
from benchmarks.serving import load, report, serving


def test_a_server_is_measured_and_stopped(tmp_path):
    cores = os.sched_getaffinity(0)
    with serving(fresh_bundle("din", tmp_path), "torch", tmp_path, 20) as port:
        row = load(port, 20, clients=2, seconds=0.2)
    assert os.sched_getaffinity(0) == cores
    assert len(list((tmp_path / "predictions").glob("*.parquet"))) == 1
    assert row["requests"] > 2
    # Each client always waits for one answer: all the time that was measured was spent on requests counted.
    assert 0.9 * 2 < row["requests_per_second"] * row["mean_ms"] / 1e3 <= 2
    assert 0 < row["scoring_ms"] < row["p50_ms"] <= row["p99_ms"]
    assert "| din   |   torch |         20 |" in report([{"model": "din", "backend": "torch", **row}])
