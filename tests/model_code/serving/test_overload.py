"""More requests than can be computed are refused at once, and the others answered."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from model_code.serving.service import Service
from model_code.serving.worker import OverloadedError, Worker
from tests.model_code.serving.reading import read_metrics

BODY = {"history": [1], "candidates": [2]}


def test_who_finds_the_queue_full_is_told_to_come_back(serve, monkeypatch):
    client, go, score = serve(max_waiting=2), threading.Event(), Service._score

    def slow(*arguments):
        assert go.wait(20)
        return score(*arguments)

    monkeypatch.setattr(Service, "_score", slow)

    def unfinished():
        return read_metrics(client)[("deminet_waiting", ())]

    with ThreadPoolExecutor(3) as pool:
        accepted = [pool.submit(client.post, "/rank", json=BODY) for _ in range(3)]
        end = time.monotonic() + 20
        while unfinished() < 3:
            assert time.monotonic() < end
        refused = client.post("/rank", json=BODY)
        assert client.get("/health").status_code == 200  # while a computation is in progress
        go.set()
        assert [answer.result().status_code for answer in accepted] == [200] * 3
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json() == {"detail": "2 requests wait already; try again later"}
    assert client.post("/rank", json=BODY).status_code == 200
    assert unfinished() == 0
    assert read_metrics(client)[("deminet_requests_total", (("status", "503"),))] == 1


def test_places_are_given_back_by_failures_and_by_those_who_went_away():
    worker, go, computed = Worker(1, max_waiting=1), threading.Event(), []

    async def fill():
        first = asyncio.create_task(worker.run(go.wait))
        second = asyncio.create_task(worker.run(computed.append, 1))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await worker.run(int)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert worker.unfinished == 1
        third = asyncio.create_task(worker.run(int, "no number"))
        await asyncio.sleep(0)
        go.set()
        assert await first
        with pytest.raises(ValueError, match="no number"):
            await third

    asyncio.run(fill())
    worker.close()
    assert (worker.unfinished, computed) == (0, [])
