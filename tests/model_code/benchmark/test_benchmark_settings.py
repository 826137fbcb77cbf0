import pytest

from model_code.benchmark.settings import BenchmarkSettings, cells, plan
from model_code.models.choice import ModelChoice
from model_code.settings import SettingsError, parse
from model_code.training.settings import TrainingSettings
from model_code.tuning.result import Tuned

TRAINING = TrainingSettings(learning_rate=0.002)


def by_label(tuned=None, **settings):
    return {row.choice.label: row for row in plan(BenchmarkSettings(**settings), TRAINING, tuned or {})}


def test_every_experiment_of_the_paper_once():
    assert list(by_label()) == [
        "popularity", "din", "dien", "mind", "comirec_dr", "comirec_sa", "dmin", "hard_routing", "multi_avg",
        "moe", "deminet", "wo_dha", "wo_ssl", "wo_ie", "gcmc", "lightgcn", "gat", "deminet_k2", "deminet_k8",
        "deminet_k16",
    ]  # fmt: skip
    assert list(by_label(experiments=("figure_3b",))) == ["popularity", "gcmc", "lightgcn", "gat", "deminet"]
    figure = by_label(experiments=("figure_3a",), interests=(2, 8))
    assert [choice.settings["interests"] for label, (choice, *_) in figure.items() if "deminet" in label] == [
        4, 2, 8,
    ]  # fmt: skip


def test_a_variant_takes_deminets_settings_but_for_its_own_part():
    found = by_label(settings={"deminet": {"threshold": 0.8, "beta": 1.0, "interests": 8}})
    for label in ("deminet", "moe", "gat", "wo_ssl", "deminet_k2"):
        assert found[label][0].settings["threshold"] == 0.8
    assert found["wo_ssl"][0].settings["beta"] == 0
    assert "deminet_k8" not in found  # which is DemiNet itself
    assert found["deminet_k2"][0].settings["interests"] == 2
    assert "threshold" not in found["din"][0].settings


def test_what_a_search_has_chosen_goes_first():
    tuned = {"deminet": Tuned(settings={"threshold": 0.6}, training={"learning_rate": 0.01})}
    found = by_label(tuned, settings={"deminet": {"threshold": 0.8, "beta": 1.0}})
    choice, training, from_search = found["moe"]
    assert from_search
    assert not found["din"].tuned
    assert (choice.settings["threshold"], choice.settings["beta"]) == (0.6, 1.0)
    assert training.learning_rate == 0.01
    assert found["din"].training == TRAINING


def test_every_row_has_a_turn_before_any_has_a_second():
    settings = BenchmarkSettings(experiments=("table_3",), seeds=(5, 6))
    found = cells(plan(settings, TRAINING, {}), settings.seeds)
    assert [cell.name for cell in found] == [
        f"{label}-seed{seed}"
        for seed in (5, 6)
        for label in ("popularity", "wo_dha", "wo_ssl", "wo_ie", "deminet")
    ]
    assert {cell.training.learning_rate for cell in found} == {0.002}


def test_own_models_have_labels_of_their_own():
    wide = ModelChoice(name="din", settings={"embedding_width": 32}, label="din_wide")
    assert by_label(others=(wide,))["din_wide"] == (wide, TRAINING, False)
    with pytest.raises(SettingsError, match=r"benchmark\.others = 'din'"):
        by_label(others=(ModelChoice(name="din"),))


def test_a_choice_that_would_go_unused_is_refused():
    with pytest.raises(SettingsError, match=r"tuned = \['dinn', 'moe'\]: should be names of"):
        by_label({"dinn": Tuned(), "moe": Tuned(), "din": Tuned()})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"interests": [2, 3]}, r"benchmark\.interests = \(2, 3\)"),
        ({"seeds": []}, r"benchmark\.seeds = \(\)"),
        ({"seeds": [1, 1]}, r"benchmark\.seeds = \(1, 1\)"),
        ({"experiments": ["table_4"]}, r"b\.experiments.* = 'table_4'"),
        ({"workers": 0}, r"benchmark\.workers = 0"),
        ({"settings": {"moe": {}}}, r"benchmark\.settings = 'moe'.*set DemiNet's"),
        ({"settings": {"dinn": {}}}, "model = 'dinn'"),
        ({"seed": 1}, r"b\.seed = 1: there is no such setting"),
    ],
)
def test_bad_settings_are_named(values, message):
    with pytest.raises(SettingsError, match=message):
        parse(BenchmarkSettings, values, "b")
