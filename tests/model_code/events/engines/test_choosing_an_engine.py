import importlib.util
import sys
from types import ModuleType

import ibis
import pytest

from model_code.events.engine import EngineSettings, SparkSettings
from model_code.events.engines import start_engine
from model_code.events.engines.duckdb import DuckDB
from model_code.events.engines.spark import configuration
from model_code.settings import SettingsError, parse

SPARK = EngineSettings(name="spark", threads=3)


def test_duckdb_is_the_default_and_needs_no_spark(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with start_engine(EngineSettings(threads=1)) as engine:
        assert isinstance(engine, DuckDB)


def test_spark_is_chosen_by_its_name_alone():
    assert parse(EngineSettings, {"name": "spark"}, "engine").spark == SparkSettings()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "sparc"}, r"engine\.name = 'sparc': should be one of duckdb, spark"),
        ({"spark": {"master": "yarn"}}, r"engine\.spark.*unless engine\.name is"),
        ({"name": "spark", "spark": {"memory": "3g"}}, r"engine\.spark\.memory.*no such setting"),
        (
            {"name": "spark", "spark": {"conf": {"driver.memory": "3g"}}},
            r"engine\.spark\.conf = 'driver\.memory'",
        ),
        ({"name": "spark", "spark": {"conf": {"spark.master": "yarn"}}}, r"engine\.spark\.master"),
    ],
)
def test_a_wrong_setting_is_named(values, message):
    with pytest.raises(SettingsError, match=message):
        parse(EngineSettings, values, "engine")


def test_spark_runs_on_this_machine_unless_told_otherwise(tmp_path):
    found = configuration(SPARK, tmp_path)
    assert found["spark.master"] == "local[3]"
    assert found["spark.driver.bindAddress"] == "127.0.0.1"
    assert found["spark.ui.enabled"] == "false"
    assert configuration(EngineSettings(name="spark"), tmp_path)["spark.master"] == "local[*]"


def test_a_cluster_and_its_settings(tmp_path):
    conf = {"spark.ui.enabled": "true", "spark.executor.memory": "8g"}
    spark = SparkSettings(master="spark://host:7077", conf=conf)
    found = configuration(EngineSettings(name="spark", spark=spark), tmp_path)
    assert found["spark.master"] == "spark://host:7077"
    assert conf.items() <= found.items()
    assert "spark.driver.host" not in found


def test_what_the_output_rests_on_cannot_be_set(tmp_path):
    engine = EngineSettings(name="spark", spark=SparkSettings(conf={"spark.sql.ansi.enabled": "false"}))
    with pytest.raises(SettingsError, match=r"engine\.spark\.conf = 'spark\.sql\.ansi\.enabled'"):
        configuration(engine, tmp_path)


def test_without_pyspark_the_remedy_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.setitem(sys.modules, "pyspark.errors", None)
    with (
        pytest.raises(SettingsError, match=r"engine\.name = 'spark': PySpark.*pip install"),
        start_engine(SPARK),
    ):
        pass


@pytest.mark.parametrize("home", [None, "/nowhere"])
def test_without_java_the_remedy_is_told(monkeypatch, tmp_path, home):
    if importlib.util.find_spec("pyspark") is None:
        for name in ("pyspark", "pyspark.errors", "pyspark.sql"):
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
        monkeypatch.setattr(sys.modules["pyspark.errors"], "PySparkRuntimeError", Exception, raising=False)
        monkeypatch.setattr(sys.modules["pyspark.sql"], "SparkSession", None, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    if home:
        monkeypatch.setenv("JAVA_HOME", home)
    with (
        pytest.raises(SettingsError, match=r"engine\.name = 'spark': there is no .*java.*Java 17"),
        start_engine(SPARK),
    ):
        pass


def test_staged_rows_are_numbered_in_order():
    with start_engine(EngineSettings(threads=2)) as engine:
        table = ibis.memtable({"file": ["a", "a", "b"], "record": ["x", "y", "z"]})
        staged = engine.stage(table, False).order_by("row").to_pyarrow().to_pylist()
    assert [(row["file"], row["record"], row["row"]) for row in staged] == [
        ("a", "x", 0),
        ("a", "y", 1),
        ("b", "z", 2),
    ]


def test_an_unknown_zone_is_an_error():
    with start_engine(EngineSettings(threads=1)) as engine, pytest.raises(ValueError, match="Asia/Nowhere"):
        engine.set_zone("Asia/Nowhere")
