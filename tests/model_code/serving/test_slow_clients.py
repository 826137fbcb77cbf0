"""Clients that do not send what they promised."""

import asyncio
import json

from tests.model_code.serving.reading import read_metrics

SCOPE = {
    "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
    "path": "/rank", "raw_path": b"/rank", "query_string": b"", "headers": [],
}  # fmt: skip


def exchange(app, receive):
    """The status and body that a client gets whose messages come from ``receive``."""
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(app(dict(SCOPE), receive, send))
    return sent[0]["status"], sent[1]["body"]


def test_a_body_that_does_not_come_is_not_waited_for(serve):
    client, pauses = serve(body_seconds=0.05), iter([0, 60])

    async def receive():
        await asyncio.sleep(next(pauses))
        return {"type": "http.request", "body": b"{", "more_body": True}

    status, body = exchange(client.app, receive)
    assert status == 408
    assert json.loads(body) == {"detail": "the body did not arrive within 0.05 seconds"}


def test_a_client_that_goes_away_is_no_error_of_the_server(serve, caplog):
    client = serve()

    async def receive():
        return {"type": "http.disconnect"}

    assert exchange(client.app, receive) == (400, b"")
    assert "failed" not in caplog.text
    assert read_metrics(client)[("deminet_requests_total", (("status", "400"),))] == 1
