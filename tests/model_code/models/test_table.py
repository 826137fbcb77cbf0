from dataclasses import asdict, replace

import pytest
from examples import log_shape

from model_code.models.deminet import DemiNetSettings
from model_code.models.din import DIN, DINSettings
from model_code.models.popularity import PopularitySettings
from model_code.models.table import MODELS, build, entry
from model_code.settings import SettingsError, parse


def test_builds_each_model_from_its_default_settings():
    for name, known in MODELS.items():
        assert isinstance(build(name, known.parse({}, name), log_shape()), known.model)
    assert entry("din")[:2] == (DINSettings, DIN)


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


def test_a_variant_is_a_model_with_one_part_fixed():
    plain, variant = entry("deminet").parse({"interests": 8}, "a"), entry("moe").parse({"interests": 8}, "a")
    assert variant == replace(plain, aggregation="moe") != plain
    assert entry("moe").parse(asdict(variant), "a") == variant  # complete settings say the same
    with pytest.raises(SettingsError, match=r"model\.aggregation = 'mean': should be 'moe'"):
        entry("moe").parse({"aggregation": "mean"}, "model")


def test_every_variant_differs_from_deminet_in_its_fixed_part_alone():
    plain = DemiNetSettings()
    for name, known in MODELS.items():
        if known.fixed:
            assert len(known.fixed) == 1
            assert known.parse({}, name) == replace(plain, **known.fixed) != plain
