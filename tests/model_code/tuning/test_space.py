"""Spaces: what a configuration may say, and that mistakes are named before anything runs."""

import pytest

from model_code.models.choice import ModelChoice
from model_code.settings import SettingsError
from model_code.training.settings import TrainingSettings
from model_code.tuning.settings import SearchSettings, TuningSettings
from model_code.tuning.space import Choices, Range, Space, applied

DEMINET = ModelChoice(name="deminet")
TRAINING = TrainingSettings()


def read(space, choice=DEMINET, training=TRAINING):
    return Space.read(choice, training, space)


def test_values_take_the_types_of_their_settings():
    space = read(
        {
            "model.layers": {"low": 1, "high": 3},
            "model.beta": {"low": 0.01, "high": 1, "log": True},
            "model.hidden": [[200, 80], [100]],
            "training.learning_rate": ["1e-3", "3e-3"],  # what YAML makes of 1e-3: a text
        }
    )
    assert space.parameters == {
        "model.layers": Range(1, 3, log=False),
        "model.beta": Range(0.01, 1.0, log=True),
        "model.hidden": Choices(((200, 80), (100,))),
        "training.learning_rate": Choices((0.001, 0.003)),
    }
    assert isinstance(space.parameters["model.layers"].high, int)
    assert isinstance(space.parameters["model.beta"].high, float)
    start = {"model.layers": 2, "model.beta": 0.1, "model.hidden": (200, 80), "training.learning_rate": 0.001}
    assert space.start == start


def test_values_come_back_from_what_the_sampler_calls_them():
    space = read({"model.hidden": [[200, 80], [100]], "model.residual": [False, True], "model.layers": [2]})
    encoded = space.encode({"model.hidden": (100,), "model.residual": True, "model.layers": 2})
    for name, distribution in space.distributions.items():
        assert distribution._contains(distribution.to_internal_repr(encoded[name]))
    assert space.decode(encoded) == {"model.hidden": [100], "model.residual": True, "model.layers": 2}


def test_the_start_is_that_of_the_model_and_the_training_at_hand():
    choice = ModelChoice(name="deminet", settings={"threshold": 0.5})
    space = read({"model.threshold": [0.5, 0.7]}, choice)
    assert space.start == {"model.threshold": 0.5}
    with pytest.raises(SettingsError, match=r"deminet.space.model.threshold = \[0.6, 0.7\].*holds 0.5"):
        read({"model.threshold": [0.6, 0.7]}, choice)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"model.treshold": [0.5]}, r"space.model.treshold: .*treshold = 0.5: there is no such setting"),
        (
            {"model.treshold": {"low": 0.5, "high": 0.7}},
            r"space.model.treshold: .*treshold = 0.5: there is no such setting",
        ),
        ({"model.threshold": {"low": 0.5, "high": 1.5}}, r"model.threshold: deminet.threshold = 1.5: should"),
        ({"model.threshold": [0.7, 2]}, r"model.threshold: deminet.threshold = 2.0: should"),
        ({"model.threshold": [0.7, "high"]}, r"threshold = 'high': Input should be a valid number"),
        ({"model.layers": {"low": 1.5, "high": 3}}, r"layers = 1.5: Input should be a valid integer"),
        ({"model.threshold": {"low": 0.8, "high": 0.9}}, r"should be a space that holds 0.7"),
        ({"model.threshold": {"low": 0.7, "high": 0.7}}, r"low = 0.7: should be less than high, 0.7"),
        ({"model.threshold": {"low": -0.1, "high": 0.8, "log": True}}, r"low = -0.1: should be positive"),
        ({"model.threshold": {"min": 0.1}}, r"range.min = 0.1: there is no such setting"),
        ({"model.threshold": 0.7}, r"0.7 should be a list of choices, or a mapping"),
        ({"model.threshold": []}, r"\[\] should be a list of choices"),
        ({"model.threshold": [0.7, 0.7]}, r"choices = \[0.7, 0.7\]: should be all different"),
        ({"model.residual": {"low": 0, "high": 1}}, r"should be a list of choices, as the setting is no num"),
        ({"training.epochs": [10, 20]}, r"space.training.epochs: should be a setting of the model"),
        ({"training.seed": [1, 2]}, r"space.training.seed: should be a setting of the model"),
        ({"learning_rate": [1e-3]}, r"or training.learning_rate"),
    ],
)
def test_mistakes_are_named(space, message):
    with pytest.raises(SettingsError, match=message):
        read(space)


def test_applied_values_leave_everything_else_alone():
    choice = ModelChoice(name="deminet", settings={"beta": 0.5}, label="mine")
    model, training = applied(choice, TRAINING, {"model.layers": 1, "training.learning_rate": 0.01})
    assert model.label == "mine"
    assert model.settings == {**choice.settings, "layers": 1}
    assert training == TrainingSettings(learning_rate=0.01)


def test_a_search_without_a_space_and_a_budget_of_nothing_are_refused():
    with pytest.raises(SettingsError, match=r"deminet.space = {}: should be one or more"):
        SearchSettings(model=DEMINET, space={})
    with pytest.raises(SettingsError, match=r"tuning.trials = 0: should be a positive number"):
        TuningSettings(trials=0)


def test_the_budget_is_the_logs_own_unless_set():
    log = TrainingSettings(epochs=7, samples_per_epoch=100, learning_rate=0.01)
    assert TuningSettings().budget(log) == log
    budget = TuningSettings(epochs=2, samples_per_epoch=50).budget(log)
    assert budget == TrainingSettings(epochs=2, samples_per_epoch=50, learning_rate=0.01)
