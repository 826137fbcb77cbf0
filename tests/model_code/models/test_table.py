import pytest
from examples import log_shape

from model_code.models.din import DIN, DINSettings
from model_code.models.popularity import PopularitySettings
from model_code.models.table import MODELS, build, entry
from model_code.settings import SettingsError, parse


def test_builds_each_model_from_its_default_settings():
    for name, (settings, model) in MODELS.items():
        assert isinstance(build(name, settings(), log_shape()), model)
    assert entry("din") == (DINSettings, DIN)


def test_an_unknown_name_lists_the_names():
    names = ", ".join(MODELS)
    with pytest.raises(SettingsError, match=f"model = 'dinn': should be one of {names}"):
        build("dinn", DINSettings(), log_shape())


def test_settings_of_another_model_are_refused():
    with pytest.raises(SettingsError, match="'din': takes DINSettings, not PopularitySettings"):
        build("din", PopularitySettings(), log_shape())


def test_settings_come_from_plain_values():
    settings = parse(entry("deminet").settings, {"hidden": [20, 10], "interests": 8}, "model")
    assert settings.hidden == (20, 10)
    assert settings.interests == 8
    with pytest.raises(SettingsError, match=r"model\.interest = 8: there is no such setting"):
        parse(entry("deminet").settings, {"interest": 8}, "model")
