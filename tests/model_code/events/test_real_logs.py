"""The real logs, read with the shipped configurations; the counts are facts about the public files."""

import os
import re
from pathlib import Path

import pytest
import yaml

from model_code.events.engine import EngineSettings
from model_code.events.ingest import ingest
from model_code.events.source import SourceSettings
from model_code.events.split import SplitSettings, split
from model_code.settings import parse

DATA = os.environ.get("DEMINET_DATA")
CONFIGS = Path(__file__).parents[3] / "configs"
pytestmark = pytest.mark.skipif(not DATA, reason="DEMINET_DATA does not name the folder of the real logs")


def read(name, out):
    text = re.sub(r"\$\{DEMINET_DATA\}", str(DATA), (CONFIGS / f"{name}.yaml").read_text())
    source = parse(
        SourceSettings, yaml.safe_load(text)["parameters"]["source"], f"configs/{name}.yaml: source"
    )
    log = ingest(source, EngineSettings(), out / "log")
    return log, split(log, SplitSettings(), EngineSettings(), out / "split")


def test_taobao_head_and_tail(tmp_path):
    log, cut = read("taobao", tmp_path)
    assert log.manifest["quarantine_reasons"] == {"unparsable row": 1, "outside window": 39}
    assert cut.balance.raw == 94_476
    assert (log.balance.kept, cut.balance.kept, cut.balance.filtered_behaviors) == (84_879, 84_862, 9_557)


def test_amazon_grocery(tmp_path):
    log, cut = read("amazon_grocery", tmp_path)
    assert log.balance.raw == log.balance.kept == cut.balance.kept == 151_254
    assert (cut.manifest["users"], cut.manifest["items"]) == (14_681, 8_713)
    assert cut.manifest["split_timestamp"] == 1_388_102_400_000


@pytest.mark.slow
def test_globo(tmp_path):
    log, cut = read("globo", tmp_path)
    assert (log.balance.raw, log.balance.kept, log.manifest["files"]) == (2_988_181, 2_984_586, 385)
    assert log.manifest["quarantine_reasons"] == {"outside window": 3_595}
    assert (cut.balance.kept, cut.balance.filtered_users_events) == (2_559_989, 424_597)
    assert cut.manifest["split_timestamp"] == 1_507_840_290_460
