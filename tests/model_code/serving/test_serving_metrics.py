"""Metrics, as Prometheus reads them."""

import pytest

from tests.model_code.serving.reading import read_metrics

UNSEEN = 10**9


def test_requests_candidates_and_unknown_items_are_counted(client):
    client.post("/rank", json={"history": [1, UNSEEN, UNSEEN], "candidates": [2, 3, 4, UNSEEN]})
    client.post("/rank", json={"user_id": 3, "candidates": [5]})
    client.post("/rank", content=b"?")
    metrics = read_metrics(client)

    def value(name, **labels):
        return metrics[(f"deminet_{name}", tuple(labels.items()))]

    assert value("requests_total", status="200") == 2
    assert value("requests_total", status="400") == 1
    assert value("request_seconds_count") == 3
    assert value("scoring_seconds_count") == 2
    assert 0 < value("scoring_seconds_sum") < value("request_seconds_sum")
    assert (value("candidates_count"), value("candidates_sum")) == (2, 5)
    assert value("candidates_bucket", le="2.0") == 1
    assert value("items_total", role="candidate") == 5
    assert value("unknown_items_total", role="candidate") == 1
    assert value("items_total", role="history") == 3 + 6
    assert value("unknown_items_total", role="history") >= 2
    assert value("waiting") == 0


def test_two_servers_in_a_process_count_apart(serve):
    first, second = serve("deminet", model_version="a"), serve("din", model_version="b")
    first.post("/rank", json={"history": [1], "candidates": [2]})
    requests = ("deminet_requests_total", (("status", "200"),))
    assert read_metrics(first)[requests] == 1
    assert requests not in read_metrics(second)
    info = ("backend", "torch"), ("model", "din"), ("version", "b")
    assert read_metrics(second)[("deminet_model_info", info)] == 1


@pytest.mark.parametrize("body", [{"history": [424242], "candidates": [434343], "user_id": 454545}])
def test_no_id_is_in_the_metrics(body, client):
    assert client.post("/rank", json=body).status_code == 200
    assert not any(number in client.get("/metrics").text for number in ("424242", "434343", "454545"))
