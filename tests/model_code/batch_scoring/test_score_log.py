import itertools
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from model_code.batch_scoring import batches
from model_code.batch_scoring.inputs import BatchScoringError
from model_code.batch_scoring.plan import make_plan
from model_code.batch_scoring.run import ALL_SEEN, score_log
from model_code.batch_scoring.scorer import Scorer
from model_code.batch_scoring.settings import BatchScoringSettings
from model_code.bundle import Bundle, BundleError
from model_code.events.click_log import ClickLog
from model_code.events.engine import EngineSettings
from model_code.settings import SettingsError

PAIRS = [(user, item) for user in range(0, 28, 3) for item in range(user % 7, 50, 1 + user % 4)]
ITEMS = [3, 12, 20, 7, 33, 44, 21]


def read(scores):
    table = pq.read_table(scores.scores)
    assert table.column_names == ["user_id", "item_id", "score", "rank"]
    return list(zip(*table.to_pydict().values(), strict=True))


def assert_same(found, expected):
    """Ranks may differ where scores do by rounding alone."""
    assert len(found) == len(expected)
    assert [row[0] for row in found] == [row[0] for row in expected]
    assert [row[3] for row in found] == [row[3] for row in expected]
    np.testing.assert_allclose([row[2] for row in found], [row[2] for row in expected], atol=1e-6)
    by_pair = {row[:2]: row[2] for row in expected}
    assert {row[:2] for row in found} == by_pair.keys()
    np.testing.assert_allclose([row[2] for row in found], [by_pair[row[:2]] for row in found], atol=1e-6)


def pairs_file(world, pairs=PAIRS):
    shuffled = sorted(pairs, key=lambda pair: (pair[0] * 31 + pair[1] * 17) % 97)
    user, item = zip(*shuffled, strict=True)
    return world.file("pairs.parquet", other=["x"] * len(pairs), item_id=item, user_id=user)


@pytest.mark.parametrize("size", [1, 7, 64, 1 << 16])
@pytest.mark.parametrize("exclude_seen", [False, True])
def test_pairs_score_as_the_ranker_scores_them(world, size, exclude_seen):
    found = world.score(
        pairs=pairs_file(world, PAIRS + PAIRS[:9]), scores_per_batch=size, exclude_seen=exclude_seen
    )
    assert_same(read(found), world.literal(PAIRS, exclude_seen=exclude_seen))
    assert found.manifest["pairs"] == len(PAIRS)
    assert found.manifest["rows"] == found.manifest["scores"] == len(read(found))


@pytest.mark.parametrize("size", [1, 3, 10, 50, 1 << 16])
def test_best_items_of_every_user_are_those_of_the_ranker(world, size):
    path = world.file("items.parquet", item_id=ITEMS + ITEMS[:2])
    found = world.score(items=path, top_n=3, scores_per_batch=size)
    expected = world.literal(list(itertools.product(range(25), ITEMS)), top_n=3)
    assert_same(read(found), expected)
    assert found.manifest["scores"] == 25 * len(ITEMS)
    assert found.manifest["items"] == len(ITEMS)
    assert found.manifest["unknown_items"] == 3


@pytest.mark.parametrize("as_pairs", [False, True])
@pytest.mark.parametrize("size", [20, 1 << 16])
def test_categories_may_be_given_with_the_candidates(world, as_pairs, size):
    category = dict(zip(ITEMS, [1, None, 2, 3, 0, 1, 99], strict=True))
    pairs = list(itertools.product([2, 5, 9], ITEMS))
    if as_pairs:
        columns = dict(zip(("user_id", "item_id"), zip(*pairs, strict=True), strict=True))
    else:
        columns = {"item_id": ITEMS}
    categories = [category[item] for item in columns["item_id"]]
    path = world.file("given.parquet", **columns, category_id=categories)
    users = {} if as_pairs else {"users": world.file("users.parquet", user_id=[2, 5, 9])}
    found = world.score(scores_per_batch=size, **{"pairs" if as_pairs else "items": path}, **users)
    expected = world.literal(pairs, category=category)
    assert_same(read(found), expected)
    differs = zip(sorted(expected), sorted(world.literal(pairs)), strict=True)
    assert max(abs(given[2] - looked_up[2]) for given, looked_up in differs) > 0.01


def test_a_log_without_categories_has_unknown_ones_of_any_type(world, tmp_path):
    log = ClickLog(shutil.copytree(world.log.path, tmp_path / "log"))
    manifest, events = json.loads((log.path / "manifest.json").read_text()), pq.read_table(log.events)
    manifest["id_types"]["category_id"] = "VARCHAR"
    (log.path / "manifest.json").write_text(json.dumps(manifest))
    none = pa.nulls(len(events), pa.string())
    pq.write_table(events.set_column(2, "category_id", none), log.events)
    settings = BatchScoringSettings(users=world.file("users.parquet", user_id=[2]))
    found = read(score_log(log, world.bundle, settings, EngineSettings(threads=1), tmp_path / "scores"))
    history, items = world.events(2), [row[1] for row in found]
    expected = world.ranker.rank(history, items, 2, [None] * len(history))
    np.testing.assert_allclose([row[2] for row in found], expected, atol=1e-6)
    pq.write_table(events.set_column(2, "category_id", pa.array(["a"] * len(events))), log.events)
    with pytest.raises(BatchScoringError, match="category_id is VARCHAR in this log, but int64"):
        score_log(log, world.bundle, settings, EngineSettings(threads=1), tmp_path / "scores")


def test_ids_may_be_texts(world_of_texts):
    world, items = world_of_texts, [f"n{item:03}" for item in ITEMS]
    expected = world.literal([(f"n{user:03}", item) for user in range(25) for item in items])
    assert_same(read(world.score(items=world.file("items.parquet", item_id=items))), expected)


def test_without_a_file_all_items_that_the_model_knows_are_candidates(world):
    users = world.file("users.parquet", user_id=[4, 2, 4])
    expected = world.literal(list(itertools.product([2, 4], range(10, 40))))
    assert_same(read(world.score(users=users)), expected)


def test_only_events_before_the_moment_are_history(world):
    path, moment = world.file("items.parquet", item_id=ITEMS), "1970-01-01T00:00:04+00:00"
    found = world.score(items=path, as_of=moment, exclude_seen=True)
    pairs = list(itertools.product(range(25), ITEMS))
    assert_same(read(found), world.literal(pairs, as_of=4000, exclude_seen=True))
    assert found.manifest["as_of"] == 4000
    assert found.manifest["users"] == sum(bool(world.events(user, 4000)) for user in range(25)) < 25


def test_seen_items_are_left_out_however_long_ago_they_were(world):
    user = next(user for user in range(25) if len(set(world.events(user))) > 6)
    seen = sorted(set(world.events(user)))
    users, items = world.file("users.parquet", user_id=[user]), [*seen, 3]
    found = world.score(users=users, items=world.file("items.parquet", item_id=items), exclude_seen=True)
    assert [row[:2] for row in read(found)] == [(user, 3)]
    assert found.manifest["excluded_as_seen"] == len(seen)


@pytest.mark.parametrize("as_pairs", [False, True])
def test_who_has_no_scores_is_listed_with_the_reason(world, as_pairs):
    seen = world.events(3)
    wanted = [3, 4, 900, -1]
    if as_pairs:
        path = pairs_file(world, list(itertools.product(wanted, seen)))
        found = world.score(pairs=path, exclude_seen=True)
    else:
        users, items = world.file("users.parquet", user_id=wanted), world.file("i.parquet", item_id=seen)
        found = world.score(users=users, items=items, exclude_seen=True)
    unscored = pq.read_table(found.unscored).to_pylist()
    nothing = "no event before the moment of scoring"
    assert [(row["user_id"], row["reason"]) for row in unscored] == [
        (-1, nothing), (900, nothing), (3, ALL_SEEN)
    ]  # fmt: skip
    assert {row[0] for row in read(found)} == {4}
    counts = found.manifest
    assert counts["users"] == 4 == counts["scored_users"] + 3
    assert (counts["users_without_history"], counts["users_with_all_seen"]) == (2, 1)


def test_equal_scores_are_ranked_by_item(world):
    unknown = [90, 70, 80, 60]  # all are one item to the model
    found = world.score(items=world.file("items.parquet", item_id=[*unknown, 12]), top_n=5)
    for user in range(25):
        items = [row[1] for row in read(found) if row[0] == user and row[1] != 12]
        assert items == sorted(unknown)


def test_nobody_to_score_gives_empty_files(world):
    found = world.score(users=world.file("users.parquet", user_id=[900]))
    assert read(found) == []
    assert pq.read_table(found.unscored).num_rows == 1


def test_progress_is_told_and_an_interruption_leaves_the_old_result(world):

    told, path = [], world.file("items.parquet", item_id=ITEMS)
    settings = BatchScoringSettings(items=path, scores_per_batch=10 * len(ITEMS))
    arguments = (world.log, world.bundle, settings, EngineSettings(threads=1), world.folder / "interrupted")
    score_log(*arguments, report=lambda done, users: told.append((done, users)))
    assert told == [(10, 25), (20, 25), (25, 25)]
    before, files = read(world.score("interrupted")), sorted(world.folder.iterdir())

    def interrupt(done, users):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_log(*arguments, report=interrupt)
    assert read(type(world.score("other"))(world.folder / "interrupted")) == before
    assert sorted(world.folder.iterdir()) == sorted([*files, world.folder / "other"])


def test_model_of_a_log_with_other_ids_is_refused(world, world_of_texts):

    with pytest.raises(BatchScoringError, match="item_id is VARCHAR in this log, but int64"):
        score_log(
            world_of_texts.log, world.bundle, BatchScoringSettings(), EngineSettings(), world.folder / "other"
        )


@pytest.mark.parametrize("exclude_seen", [False, True])
def test_scores_that_are_no_numbers_are_refused(world, exclude_seen, monkeypatch):
    load = Bundle.load_model

    def broken(bundle, device):
        model = load(bundle, device)
        torch.nn.init.constant_(next(reversed(list(model.parameters()))), torch.nan)
        return model

    monkeypatch.setattr(Bundle, "load_model", broken)
    with pytest.raises(BatchScoringError, match="scores that are no numbers, first for user 0; score with"):
        world.score("refused", exclude_seen=exclude_seen)
    assert not (world.folder / "refused").exists()


def test_a_missing_spill_folder_is_named(world, tmp_path):
    engine = EngineSettings(spill_folder=str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match=r"engine\.spill_folder.*nowhere"):
        score_log(world.log, world.bundle, BatchScoringSettings(), engine, tmp_path / "scores")


def test_the_bundle_is_verified_once(world, monkeypatch):
    verified, verify = [], Bundle.verify
    monkeypatch.setattr(Bundle, "verify", lambda bundle: verified.append(verify(bundle)))
    world.score(users=world.file("users.parquet", user_id=[2]))
    assert len(verified) == 1


@pytest.mark.parametrize("kind", ["pairs", "items"])
def test_a_batch_has_few_users_however_few_candidates(world, kind, monkeypatch):
    monkeypatch.setattr(batches, "_USERS", 6)
    users, score = [], Scorer.score

    def spy(self, plan, batch):
        users.append(batch.users.stop - batch.users.start)
        return score(self, plan, batch)

    monkeypatch.setattr(Scorer, "score", spy)
    columns = {"item_id": [12] * 25} | ({"user_id": range(25)} if kind == "pairs" else {})
    found = world.score(**{kind: world.file("one.parquet", **columns)})
    assert users == [6, 6, 6, 6, 1]
    assert_same(read(found), world.literal([(user, 12) for user in range(25)]))


@pytest.mark.parametrize("exclude_seen", [False, True])
def test_events_are_compared_with_candidates_only_where_seen_ones_are_left_out(world, exclude_seen, tmp_path):
    for kind, columns in (("pairs", {"user_id": [2], "item_id": [12]}), ("items", {"item_id": [12]})):
        path = world.file("one.parquet", **columns)
        settings = BatchScoringSettings(**{kind: path}, exclude_seen=exclude_seen)
        (tmp_path / kind).mkdir()
        plan = make_plan(world.log, world.bundle, settings, EngineSettings(threads=1), tmp_path / kind)
        if kind == "pairs":
            assert ("seen" in pq.read_schema(plan.pairs).names) == exclude_seen
        else:
            assert (plan.candidate is not None) == exclude_seen


def test_the_moment_of_the_example_is_one():
    text = (Path(__file__).resolve().parents[3] / "configs/scoring/demo.yaml").read_text(encoding="utf-8")
    (moment,) = re.findall(r"or a moment: (.*)", text)
    assert BatchScoringSettings(as_of=yaml.safe_load(moment)).moment(0) > 0


def test_damaged_bundle_is_refused(world):
    extra = world.bundle.path / "extra.txt"
    extra.write_text("")
    with pytest.raises(BundleError, match=r"extra.txt"):
        world.score()
    extra.unlink()
