"""What docs/serving.md says, against the server."""

import json
import re
from pathlib import Path

import yaml

from model_code.serving.app import PROBLEMS
from model_code.serving.schema import RankRequest, RankResponse
from model_code.serving.settings import ServingSettings
from model_code.settings import parse
from tests.model_code.serving.reading import read_metrics

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")


def test_the_example_is_answered_as_shown(client):
    (body,) = re.findall(r"curl .* -d '\n(.*)'", TEXT)
    answer = client.post("/rank", content=body)
    assert answer.status_code == 200
    (shown,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    shown, answered = RankResponse[int].model_validate_json(shown), RankResponse[int](**answer.json())
    assert [one.item_id for one in shown.candidates] == json.loads(body)["candidates"]
    assert [one.known for one in shown.candidates] == [one.known for one in answered.candidates]
    assert shown.history_length == answered.history_length
    for one in shown.candidates:
        assert abs(sum(one.confidence) - 1) < 1e-9


def test_fields_statuses_and_metrics_are_those_there_are(client):
    rows = set(re.findall(r"^\| `?(?:candidates\[\]\.)?(\w+)", TEXT, re.MULTILINE))
    assert set(RankRequest.model_fields) <= rows
    assert {"request_id", "model_version", "history_length", "probability", "known", "confidence"} <= rows
    assert {int(status) for status in re.findall(r"^\| (\d{3}) \|", TEXT, re.MULTILINE)} == {*PROBLEMS}
    client.post("/rank", content=b"?")
    named = set(re.findall(r"`(deminet_\w+)", TEXT))
    there = {name for name, _ in read_metrics(client) if re.match("deminet.*(?<!_created)$", name)}
    assert named == {re.sub("_(bucket|count|sum)$", "", name) for name in there}


def test_settings_that_are_named_exist():
    example = ROOT / "configs" / "serving.yaml"
    settings = parse(ServingSettings, yaml.safe_load(example.read_text(encoding="utf-8")), str(example))
    assert settings.prediction_log is not None
    names = {*vars(settings), *vars(settings.prediction_log)}
    limits = re.findall(r"`((?:max|body|rows|seconds)_\w+)`", TEXT)
    assert limits
    assert set(limits) <= names
