"""The whole analysis on a small log: what it shows is what the model says of those users and items."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from model_code.analysis.analyse import Analysis, AnalysisSettings, analyse
from model_code.analysis.cases import choose_users
from model_code.settings import SettingsError
from tests.model_code.training import small_log

SETTINGS = AnalysisSettings(map_items=10, gap_vectors=40, gap_clusters=4, gap_references=5)


@pytest.fixture(scope="module")
def bundle(bundled):
    return bundled("deminet", interests=3, hidden=(16, 8))


@pytest.fixture(scope="module")
def analysis(bundle, data_folder):
    return analyse(bundle, data_folder, SETTINGS)


@pytest.fixture(scope="module")
def events(data_folder):
    """The log as logged, in the order of the prepared one."""
    table = pq.read_table(data_folder.parent / "events.parquet")
    return table.sort_by([("user_id", "ascending"), ("timestamp", "ascending"), ("item_id", "ascending")])


def test_maps_are_of_known_users_and_items_of_the_test_period(analysis, events, data):
    ids = events["item_id"].to_numpy()[data.events_in("test")].tolist()
    assert len(analysis.maps) == 2
    assert analysis.maps[0].user != analysis.maps[1].user
    for found in analysis.maps:
        assert len(found.points) == len(found.item) == 10 * 3
        assert len(set(found.item)) == 10
        assert set(found.item) <= set(ids)
        assert found.interest == (0, 1, 2) * 10


def test_confidences_are_the_models_for_that_user_and_those_items(analysis, bundle, events, data):
    found = analysis.confidence
    assert found.user == analysis.maps[0].user
    user, item = events["user_id"].to_numpy(), events["item_id"].to_numpy()
    row = choose_users(data, 1, SETTINGS.seed)[0]
    samples = data.parts["test"]
    span = slice(samples.history_start[row], samples.history_end[row])
    assert set(user[span]) == {found.user}

    items = [candidate.item for candidate in found.candidates]
    expected = bundle.ranker().rank(item[span].tolist(), items, user=found.user)
    np.testing.assert_allclose(found.probability, expected, atol=1e-6)
    assert np.shape(found.omega) == (5, 3)
    np.testing.assert_allclose(np.sum(found.omega, axis=1), 1, atol=1e-6)
    # An item's category is its taste, and there are five.
    assert [candidate.category for candidate in found.candidates] == [
        item // small_log.ITEMS_OF_A_TASTE for item in items
    ]
    assert len({candidate.category for candidate in found.candidates}) == 5


def test_the_gap_statistic_is_of_item_vectors(analysis):
    assert analysis.gap.vectors == SETTINGS.gap_vectors
    assert len(analysis.gap.gap) == SETTINGS.gap_clusters


def test_the_gap_leaps_where_the_vectors_of_items_fall_into_clusters(data_folder, bundled):
    bundle = bundled("deminet", interests=2)
    # Categories far apart next to the items' own vectors: as many clusters as categories.
    model = bundle.load_model()
    with torch.no_grad():
        model.nodes.item.weight[:] *= 0.1
        model.nodes.category.weight[:] *= 10
    pretending = _Loaded(bundle, model)
    found = analyse(pretending, data_folder, replace(SETTINGS, gap_vectors=1000, gap_clusters=8)).gap
    assert np.diff(found.gap).argmax() + 2 == small_log.TASTES


class _Loaded:
    """A bundle whose model has been changed."""

    def __init__(self, bundle, model):
        self.path, self.manifest, self._model = bundle.path, bundle.manifest, model

    def load_model(self):
        return self._model


def test_the_seed_fixes_everything_and_json_keeps_it(analysis, bundle, data_folder, tmp_path):
    assert analyse(bundle, data_folder, SETTINGS) == analysis
    assert analyse(bundle, data_folder, replace(SETTINGS, seed=1)).maps != analysis.maps
    analysis.write(tmp_path / "analysis.json")
    assert Analysis.read(tmp_path / "analysis.json") == analysis


def test_one_interest_has_full_confidence_and_no_silhouette(bundled, data_folder):
    analysis = analyse(bundled("deminet", interests=1), data_folder, SETTINGS)
    assert analysis.confidence.omega == ((1.0,),) * 5
    assert {found.silhouette for found in analysis.maps} == {None}


def test_models_without_interests_are_refused(bundled, data_folder):
    with pytest.raises(ValueError, match="model 'din' has no interests"):
        analyse(bundled("din"), data_folder, SETTINGS)


def test_a_log_that_the_model_was_not_trained_on_is_refused(bundle, data_folder, tmp_path):
    for file in data_folder.glob("*.parquet"):
        table = pq.read_table(file)
        pq.write_table(table.slice(0, len(table) - (file.name == "users.parquet")), tmp_path / file.name)
    with pytest.raises(ValueError, match=r"trained on another log than .*\.parquet differs"):
        analyse(bundle, tmp_path, SETTINGS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("users", 0),
        ("map_items", 1),
        ("gap_clusters", 1),
        ("gap_vectors", 16),
        ("gap_references", 1),
        ("seed", -1),
    ],
)
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(SettingsError, match=f"analysis.{name} = {value}"):
        AnalysisSettings(**{name: value})
