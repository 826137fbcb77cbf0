"""The real logs, read with the shipped configurations; the counts are facts about the public files."""

import os
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from model_code.events.engine import EngineSettings
from model_code.events.ingest import ingest
from model_code.events.source import SourceSettings
from model_code.events.split import SplitSettings, split
from model_code.settings import parse
from tests.model_code.events.raw_logs import write

DATA = os.environ.get("DEMINET_DATA")
CONFIGS = Path(__file__).parents[3] / "configs"
T0 = 1_430_622_000_000  # ms, in May 2015
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
    items = pq.read_table(cut.events, columns=["item_id"])["item_id"].unique()
    assert (cut.manifest["users"], len(items)) == (14_681, 8_713)
    assert cut.manifest["split_timestamp"] == 1_388_102_400_000


def test_retailrockets_category_tree(tmp_path):
    tree = Path(str(DATA)) / "retailrocket" / "category_tree.csv"
    if not tree.is_file():
        pytest.skip(f"there is no {tree}")
    categories = [line.split(",")[0] for line in tree.read_text().split()[1:]]
    assert len(categories) == len(set(categories)) == 1_669
    rows = [f"{T0},{item},categoryid,{category}" for item, category in enumerate([*categories, "1700"])]
    write(tmp_path / "item_properties_part1.csv", "timestamp,itemid,property,value", *rows)
    write(
        tmp_path / "events.csv",
        "timestamp,visitorid,event,itemid,transactionid",
        *(f"{T0},{item % 9},view,{item}," for item in range(len(rows))),
    )
    (tmp_path / "category_tree.csv").symlink_to(tree)
    source = SourceSettings(path=str(tmp_path), format="retailrocket")
    log = ingest(source, EngineSettings(), tmp_path / "log")
    counts = log.manifest["category_table"]
    assert (counts["items"], counts["unlisted"]) == (1_670, 1)
    assert log.manifest["events_without_category"] == 0


@pytest.mark.slow
def test_globo(tmp_path):
    log, cut = read("globo", tmp_path)
    assert (log.balance.raw, log.balance.kept, log.manifest["files"]) == (2_988_181, 2_984_586, 385)
    assert log.manifest["quarantine_reasons"] == {"outside window": 3_595}
    assert (cut.balance.kept, cut.balance.filtered_users_events) == (2_559_989, 424_597)
    assert cut.manifest["split_timestamp"] == 1_507_840_290_460
