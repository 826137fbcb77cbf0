"""Answers against the ranker and the batch scorer; what is refused, and how."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from fastapi.testclient import TestClient

from model_code.bundle import write_bundle
from model_code.groups import LogShape, VocabularySizes
from model_code.models.table import MODELS
from model_code.scoring import predict, sigmoid
from model_code.sequences.batches import ResidentLog
from model_code.sequences.data import SequenceData, SequenceFolder
from model_code.sequences.logged_ids import LoggedIds
from model_code.serving.app import PROBLEMS, create_app
from model_code.serving.schema import RankResponse
from model_code.serving.service import Service
from model_code.serving.settings import ServingSettings
from tests.model_code.serving.reading import read_metrics

UNSEEN = 10**9


def probabilities(answer):
    assert answer.status_code == 200, answer.text
    return [candidate["probability"] for candidate in answer.json()["candidates"]]


@pytest.mark.parametrize(("name", "backend"), [("deminet", "torch"), ("din", "torch"), ("din", "onnx")])
def test_scores_equal_the_batch_scorers(name, backend, serve, bundles, split, request):
    data, logged = SequenceData.load(split / "sequences"), LoggedIds.load(SequenceFolder(split / "sequences"))
    expected = sigmoid(predict(bundles[name].load_model(), data, ResidentLog.of(data), "test"))
    assert expected.std() > 1e-3
    changes = {"bundle": str(request.getfixturevalue("exported").path)} if backend == "onnx" else {}
    samples, items, client = (
        data.parts["test"],
        logged.items.to_pylist(),
        serve(name, backend=backend, **changes),
    )
    assert client.get("/health").json()["backend"] == backend
    for group in range(0, len(samples), 7):
        history = data.item[samples.history_start[group] : samples.history_end[group]]
        candidates = data.item[samples.candidates(slice(group, group + 1))[0]]
        body = {
            "history": [items[code] for code in history],
            "candidates": [items[code] for code in candidates],
            "user_id": logged.users[int(samples.user[group])].as_py(),
        }
        answer = client.post("/rank", json=body)
        np.testing.assert_allclose(probabilities(answer), expected[group], atol=1e-5, rtol=0)
        assert answer.json()["history_length"] == len(history)


def test_answers_follow_the_schema_and_say_what_is_unknown(client, bundles):
    history, candidates = [1, UNSEEN, 5], [3, UNSEEN, 3, 2**64]
    answer = client.post("/rank", json={"history": history, "candidates": candidates})
    body = RankResponse[int].model_validate_json(answer.content, strict=True)
    assert [candidate.item_id for candidate in body.candidates] == candidates
    assert [candidate.known for candidate in body.candidates] == [True, False, True, False]
    expected = bundles["deminet"].ranker().rank(history, candidates)
    np.testing.assert_allclose([one.probability for one in body.candidates], expected, atol=1e-6)
    assert body.model_version == client.get("/health").json()["model_version"]


def test_a_known_user_is_its_history_given(client, split):
    events = pq.read_table(split / "events.parquet").sort_by([("timestamp", "ascending")]).to_pylist()
    for user in (0, 17, 149):
        own = [event for event in events if event["user_id"] == user]
        history, last = [event["item_id"] for event in own][-6:], own[-1]["timestamp"]
        body = {"candidates": [1, 2, 3, UNSEEN], "user_id": user}
        known = client.post("/rank", json=body)
        categories = [event["category_id"] for event in own][-6:]
        given = {"history": history, "history_categories": categories, "last_event_time": last}
        given = client.post("/rank", json=body | given)
        assert probabilities(known) == probabilities(given)
        assert known.json()["history_length"] == 6


def test_the_user_of_a_history_counts_where_the_model_has_users(client, bundles):
    body = {"history": [1, 2], "candidates": [3, 4]}
    ranker = bundles["deminet"].ranker()
    for user in (3, 4, UNSEEN, None):
        answer = client.post("/rank", json=body | {"user_id": user})
        np.testing.assert_allclose(probabilities(answer), ranker.rank([1, 2], [3, 4], user), atol=1e-6)


def test_explanations_are_the_confidences_of_the_experts(client, bundles):
    body = {"history": [1, 2, 14], "candidates": [3, 4, UNSEEN]}
    answer = client.post("/rank", json=body | {"explain": True})
    expected = bundles["deminet"].ranker().explain(body["history"], body["candidates"])
    confidence = [candidate["confidence"] for candidate in answer.json()["candidates"]]
    np.testing.assert_allclose(confidence, expected.confidence, atol=1e-7)
    assert np.shape(confidence) == (3, 3)
    np.testing.assert_allclose(np.sum(confidence, 1), 1, atol=1e-6)
    assert np.std(confidence) > 1e-3
    plain = client.post("/rank", json=body)
    assert probabilities(plain) == probabilities(answer)
    assert "confidence" not in plain.json()["candidates"][0]


@pytest.mark.parametrize("name", ["din", "wo_ie"])
def test_without_interest_experts_there_is_no_explanation(name, serve, bundles):
    client = serve(name)
    answer = client.post("/rank", json={"history": [1], "candidates": [3], "explain": True})
    assert (answer.status_code, client.get("/health").json()["explains"]) == (422, False)
    assert answer.json()["detail"].startswith(f"explain: a model of kind {name} has no interest experts")
    with pytest.raises(TypeError, match="no interest experts"):
        bundles[name].ranker().explain([1], [3])


def test_explanations_can_be_left_out(serve):
    client = serve(explanations=False)
    answer = client.post("/rank", json={"history": [1], "candidates": [3], "explain": True})
    assert answer.json() == {"detail": "explain: this server gives no explanations; leave explain out"}
    assert not client.get("/health").json()["explains"]


GOOD = {"history": [1, 2], "candidates": [3]}
REFUSED = {
    "no JSON": (b"{", 400, "the body is no JSON: Invalid JSON"),
    "no text": (b"\xff\xfe", 400, "the body is no JSON"),
    "empty": (b"", 400, "the body is no JSON"),
    "no object": ([1, 2], 422, "Input should be an object"),
    "no candidates": ({"history": [1]}, 422, "candidates: Field required"),
    "empty candidates": (GOOD | {"candidates": []}, 422, "candidates: List should have at least 1 item"),
    "empty history": (GOOD | {"history": []}, 422, "history: List should have at least 1 item"),
    "no history": ({"candidates": [3]}, 422, "give a history, or the user_id of a user"),
    "text id": (GOOD | {"candidates": [3, "4"]}, 422, "candidates.1: Input should be a valid integer, not"),
    "many errors": (
        {"history": ["a"] * 9, "candidates": [None] * 9}, 422,
        "candidates.0: Input should be a valid integer, not None; history.0: Input should be a valid integer"
    ),
    "float id": (GOOD | {"history": [1.5]}, 422, "history.0: Input should be a valid integer, not 1.5"),
    "null id": (GOOD | {"candidates": [None]}, 422, "candidates.0: Input should be a valid integer"),
    "truth as id": (GOOD | {"candidates": [True]}, 422, "candidates.0: Input should be a valid integer"),
    "text user": (GOOD | {"user_id": "u"}, 422, "user_id: Input should be a valid integer, not 'u'"),
    "number as truth": (GOOD | {"explain": 1}, 422, "explain: Input should be a valid boolean, not 1"),
    "large id": (
        GOOD | {"candidates": [2**64 + 1]}, 422,
        "candidates.0: Input should be less than or equal to 18446744073709551616, not 18446744073709551617",
    ),
    "very large id": (GOOD | {"history": [-(10**4000)]}, 422, "history.0: Input should be greater than"),
    "large user": (GOOD | {"user_id": 2**64 + 1}, 422, "user_id: Input should be less than or equal"),
    "unknown fields": (
        GOOD | {f"f{number}": 1 for number in range(9_000)}, 422,
        "f0: there is no such field; f1: there is no such field; f2: there is no such field; "
        "f3: there is no such field; f4: there is no such field; and 8,995 more",
    ),
    "long name": (GOOD | {"x" * 200_000: 1}, 422, f"{'x' * 60}...: there is no such field"),
    "unknown field": (GOOD | {"histroy": [1]}, 422, "histroy: there is no such field"),
    "long value": (GOOD | {"candidates": "x" * 9999}, 422, "candidates: Input should be a valid array, not"),
    "time alone": (
        {"user_id": 1, "candidates": [3], "last_event_time": 5}, 422, "last_event_time belongs to a history"
    ),
    "few categories": (
        GOOD | {"candidate_categories": [1, 2]}, 422,
        "candidate_categories: 2 for 1 candidates; give one for each"
    ),
    "no category": (
        GOOD | {"history_categories": []}, 422,
        "history_categories: 0 for 2 events of history; give one for each"
    ),
    "text category": (
        GOOD | {"history_categories": [None, "a"]}, 422,
        "history_categories.1: Input should be a valid integer, not 'a'"
    ),
    "categories alone": (
        {"user_id": 1, "candidates": [3], "history_categories": [1]}, 422,
        "history_categories belong to a history"
    ),
    "time beyond": (GOOD | {"last_event_time": 2**63}, 422, "last_event_time: Input should be less than"),
    "unknown user": ({"user_id": UNSEEN, "candidates": [3]}, 404, "user_id: this server knows no history of"),
    "many candidates": (
        GOOD | {"candidates": [1] * 201}, 422, "candidates: 201 are too many, this server takes up to 200"
    ),
    "long history": (
        GOOD | {"history": [1] * 1001}, 422, "history: 1,001 are too many, this server takes up to 1,000"
    ),
    "large": (b" " * (1 << 18) + b"{}", 413, "the body is too large, this server takes up to 262,144 bytes"),
}  # fmt: skip


@pytest.fixture(scope="module")
def lasting(bundles, split):
    paths = {"bundle": str(bundles["deminet"].path), "histories": str(split / "events.parquet")}
    with TestClient(create_app(ServingSettings(**paths, max_candidates=200))) as client:
        yield client


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_answered_is_refused_with_the_reason(case, lasting):
    body, status, detail = REFUSED[case]
    before = read_metrics(lasting)
    content = body if isinstance(body, bytes) else json.dumps(body)
    answer = lasting.post("/rank", content=content)
    assert (answer.status_code, list(answer.json())) == (status, ["detail"])
    assert answer.json()["detail"].startswith(detail)
    assert len(answer.text) < 300
    counted = ("deminet_requests_total", (("status", str(status)),))
    after = read_metrics(lasting)
    assert after[counted] - before.get(counted, 0) == 1
    assert probabilities(lasting.post("/rank", json=GOOD))


def test_a_body_without_a_length_is_cut_off_too(serve):
    parts = (b" " * 100 for _ in range(11))
    assert serve(max_body_bytes=1000).post("/rank", content=parts).status_code == 413


def test_other_paths_and_methods(lasting):
    assert lasting.get("/rank").status_code == 405
    for path in ("/", "/docs", "/redoc"):
        assert lasting.get(path).status_code == 404


def test_a_server_without_histories_wants_one(serve):
    answer = serve(histories=None).post("/rank", json={"user_id": 0, "candidates": [3]})
    assert answer.status_code == 404
    assert answer.json()["detail"].endswith("give one as history")


def test_an_internal_error_tells_nothing_but_is_logged(serve, monkeypatch, caplog):
    client = serve()

    def fail(*_):
        raise RuntimeError("secret")

    monkeypatch.setattr(Service, "_score", fail)
    answer = client.post("/rank", json=GOOD)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert "secret" in caplog.text
    assert read_metrics(client)[("deminet_requests_total", (("status", "500"),))] == 1


def test_health_says_what_is_served(serve, bundles):
    bundle = bundles["deminet"]
    health = serve().get("/health").json()
    assert health.pop("since").endswith("+00:00")
    assert health == {
        "status": "ok",
        "model": "deminet",
        "model_version": bundle.identity,
        "backend": "torch",
        "known_users": 150,
        "explains": True,
    }
    assert serve(model_version="shop-7").get("/health").json()["model_version"] == "shop-7"


def test_the_schema_is_published_with_types_and_limits(lasting):
    paths = lasting.get("/openapi.json").json()["paths"]
    schema = paths["/rank"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    item = {"type": "integer", "minimum": -(2**64), "maximum": 2**64}
    candidates, history = (schema["properties"][name] for name in ("candidates", "history"))
    assert candidates | {"description": ""} == {
        "items": item, "maxItems": 200, "minItems": 1, "title": "Candidates", "type": "array",
        "description": "",
    }  # fmt: skip
    limited = {"items": item, "maxItems": 1000, "minItems": 1, "type": "array"}
    assert history["anyOf"] == [limited, {"type": "null"}]
    assert set(paths["/rank"]["post"]["responses"]) == {"200", *map(str, PROBLEMS)}
    assert set(paths) == {"/rank", "/health", "/metrics"}


def test_the_threads_of_torch_are_those_of_the_settings(serve, monkeypatch):
    told = []
    monkeypatch.setattr(torch, "set_num_threads", told.append)
    serve(threads=1)
    assert told == [1]


def test_ids_are_texts_where_the_log_has_texts(tmp_path, bundles):
    bundle = with_text_ids(bundles["din"], tmp_path / "texts")
    expected = bundles["din"].ranker().rank([1, UNSEEN], [3, 4])
    body = {"history": ["item 1", "é\u0000"], "candidates": ["item 3", "item 4"], "user_id": "user 9"}
    with TestClient(create_app(ServingSettings(bundle=str(bundle.path)))) as client:
        answer = client.post("/rank", json=body)
        np.testing.assert_allclose(probabilities(answer), expected, atol=1e-6)
        assert [candidate["item_id"] for candidate in answer.json()["candidates"]] == body["candidates"]
        refused = client.post("/rank", json=body | {"candidates": [3]})
        assert refused.json()["detail"] == "candidates.0: Input should be a valid string, not 3"
        longest = body | {"candidates": ["é" * 256], "user_id": "é" * 256}
        assert client.post("/rank", json=longest).status_code == 200
        for longer in ({"candidates": ["é" * 257]}, {"history": ["é" * 257]}, {"user_id": "é" * 257}):
            refused = client.post("/rank", json=body | longer)
            assert refused.status_code == 422
            assert "should have at most 256 characters" in refused.json()["detail"]
        half = b'{"history": ["\\ud800"], "candidates": ["a"]}'  # of a character
        assert client.post("/rank", content=half).status_code == 400


def with_text_ids(bundle, path):
    """The same model, of a log whose ids are texts."""
    vocabulary = path.with_name("vocabulary")
    shutil.copytree(bundle.path / "vocabulary", vocabulary)
    for name, key in (("items", "item_id"), ("users", "user_id")):
        table = pq.read_table(vocabulary / f"{name}.parquet")
        texts = pa.array([f"{name[:-1]} {number}" for number in table[key].to_pylist()])
        pq.write_table(
            table.set_column(table.schema.get_field_index(key), key, texts), vocabulary / f"{name}.parquet"
        )
    manifest = bundle.manifest
    sizes = VocabularySizes(**manifest["sizes"])
    return write_bundle(
        path,
        name=manifest["model"],
        settings=MODELS[manifest["model"]].parse(manifest["settings"], "bundle"),
        model=bundle.load_model(),
        shape=LogShape(sizes, manifest["max_length"], torch.zeros(sizes.items)),
        vocabulary=vocabulary,
        history=[],
        details={},
    )
