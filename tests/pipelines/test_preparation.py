"""What is read of a training configuration."""

from pathlib import Path

import pytest
import yaml

from model_code.events.source import WindowSettings
from model_code.settings import SettingsError, parse
from model_code.tuning.settings import SearchSettings, TuningSettings
from model_code.tuning.space import Space
from pipelines import preparation
from pipelines.monitoring import _of_window
from pipelines.preparation import LogConfig, read_log_config


def written(tmp_path, monkeypatch, text) -> str:
    monkeypatch.setattr(preparation, "ROOT", tmp_path)
    (tmp_path / "log.yaml").write_text(text)
    return "log.yaml"


def test_no_file_is_the_demo_log():
    config = read_log_config(None)
    assert config == LogConfig()
    assert config.source.path == "data/clicks"
    assert config.limits.behaviors == ("pv",)


def test_a_configuration_of_the_project_is_read_with_its_environment(monkeypatch):
    monkeypatch.setenv("DEMINET_DATA", "/logs")
    config = read_log_config("configs/globo.yaml")
    assert config.name == "Globo.com news clicks"
    assert config.source.path == "/logs/globo/clicks"
    assert config.training.samples_per_epoch == 100_000
    assert config.split == LogConfig().split


def test_every_configuration_of_a_log_is_read(monkeypatch):
    monkeypatch.setenv("DEMINET_DATA", "/logs")
    for path in (preparation.ROOT / "configs").glob("*.yaml"):
        assert isinstance(read_log_config(str(path.relative_to(preparation.ROOT))), LogConfig)


def test_the_published_logs_are_prepared_as_in_the_paper(monkeypatch):
    monkeypatch.setenv("DEMINET_DATA", "/logs")
    for name, length, interests, behaviors in (
        ("taobao", 50, 8, ("pv",)),
        ("retailrocket", 20, 4, ("view", "addtocart")),
        ("amazon_books", 20, 4, None),
    ):
        config = read_log_config(f"configs/{name}.yaml")
        assert (config.sequences.max_length, config.limits.behaviors) == (length, behaviors)
        assert all(path.startswith("/logs/") for path in config.source.paths().values())
        text = (preparation.ROOT / "configs" / f"{name}.yaml").read_text()
        assert yaml.safe_load(text)["parameters"]["model"]["settings"]["interests"] == interests


def test_a_window_of_a_published_log_is_read_from_a_folder_of_its_own(monkeypatch):
    monkeypatch.setenv("DEMINET_DATA", "/logs")
    window = WindowSettings(start="2015-09-01T00:00:00+00:00", end="2015-09-08T00:00:00+00:00")
    source = _of_window(read_log_config("configs/retailrocket.yaml"), window, "/new").source
    assert (source.format, source.path, source.window.end) == ("table", "/new/events.csv", window.end)
    assert source.categories.path == "/new/item_properties_part*.csv"


def test_every_tuning_configuration_is_of_a_log_and_of_spaces_that_exist(monkeypatch):
    monkeypatch.setenv("DEMINET_DATA", "/logs")
    paths = list((preparation.ROOT / "configs" / "tuning").glob("*.yaml"))
    assert paths
    for path in paths:
        parameters = yaml.safe_load(path.read_text())["parameters"]
        training = read_log_config(parameters["log"]).training
        parse(TuningSettings, parameters["tuning"], "tuning")
        for values in parameters["searches"]:
            search = parse(SearchSettings, values, "searches")
            assert Space.read(search.model, training, search.space).parameters.keys() == search.space.keys()


def test_what_says_nothing_of_the_log_is_left_out(tmp_path, monkeypatch):
    text = "model: {name: a}\nparameters: {model: {name: x}, gates: {}, training: {epochs: 3}}"
    assert read_log_config(written(tmp_path, monkeypatch, text)).training.epochs == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("parameters: {training: {epoch: 3}}", "log.yaml: parameters.training.epoch = 3: there is no such"),
        ("parameters: {traning: {}}", "log.yaml: parameters.traning = {}: there is no such setting"),
        ("parameters: {suite: '${NOT_SET}'}", "log.yaml: parameters: .*NOT_SET"),
    ],
)
def test_mistakes_are_named(tmp_path, monkeypatch, text, message):
    with pytest.raises(SettingsError, match=message):
        read_log_config(written(tmp_path, monkeypatch, text))


def test_a_file_that_is_not_there_is_named():
    assert not Path("configs/nowhere.yaml").exists()
    with pytest.raises(SettingsError, match=r"log = 'configs/nowhere.yaml': should be a YAML file"):
        read_log_config("configs/nowhere.yaml")
