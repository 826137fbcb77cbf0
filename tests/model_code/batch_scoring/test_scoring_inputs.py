"""Files and settings that cannot be used are refused, and say why."""

import pyarrow as pa
import pytest

from model_code.batch_scoring.inputs import BatchScoringError
from model_code.batch_scoring.settings import BatchScoringSettings
from model_code.settings import SettingsError

BAD = {
    "missing column": ({"user": [1]}, "has the columns user; should have one user_id"),
    "wrong type": ({"user_id": ["a"]}, "user_id is of type string; in the log it is BIGINT"),
    "fractions": ({"user_id": [1.5]}, "user_id is of type double"),
    "too large": ({"user_id": pa.array([1], pa.uint64())}, "user_id is of type uint64"),
    "null": ({"user_id": [1, None]}, "row 1: user_id is null"),
    "empty": ({"user_id": pa.array([], pa.int64())}, "has no row"),
}


@pytest.mark.parametrize(("columns", "message"), BAD.values(), ids=BAD)
def test_bad_file_is_refused_by_name(world, columns, message):
    path = world.file("bad.parquet", **columns)
    with pytest.raises(BatchScoringError, match=rf"bad.parquet.*{message}"):
        world.score("refused", users=path)
    assert not (world.folder / "refused").exists()


BAD_CATEGORIES = {
    "texts": (["1", "2"], "category_id is of type string; in the log it is BIGINT"),
    "several": ([1, None], "item_id 12 comes with 2 values of category_id; give one"),
}


@pytest.mark.parametrize(("values", "message"), BAD_CATEGORIES.values(), ids=BAD_CATEGORIES)
def test_bad_categories_are_refused(world, values, message):
    path = world.file("bad.parquet", item_id=[12, 12], category_id=values)
    with pytest.raises(BatchScoringError, match=rf"bad.parquet.*{message}"):
        world.score("refused", items=path)


def test_file_that_is_none_is_refused(world):
    with pytest.raises(BatchScoringError, match=r"gone.parquet: does not exist"):
        world.score(items=str(world.folder / "gone.parquet"))
    (world.folder / "text.parquet").write_text("item_id\n1\n")
    with pytest.raises(BatchScoringError, match=r"text.parquet: is no Parquet file"):
        world.score(items=str(world.folder / "text.parquet"))


@pytest.mark.parametrize(
    "settings",
    [{"as_of": "yesterday"}, {"pairs": "p", "items": "i"}, {"top_n": 0}, {"scores_per_batch": 0}],
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(SettingsError, match=f"scoring.{list(settings)[-1]}"):
        BatchScoringSettings(**settings)
