import duckdb
import pytest

from model_code.events.engine import EngineSettings, connect
from model_code.settings import SettingsError


@pytest.mark.parametrize("limit", ["4GB", "4 gb", "1.5GiB", "4G", "500MB", "100%", "7 %"])
def test_a_memory_limit_that_is_accepted_is_one_to_duckdb(limit):
    config = EngineSettings(threads=3, memory_limit=limit).config()
    assert config == {"threads": 3, "memory_limit": limit}
    duckdb.connect(config=config).close()


@pytest.mark.parametrize("limit", ["4 gigs", "4", "", "GB", "120%", "0%", "-1GB", "4GB "])
def test_a_wrong_memory_limit_is_named(limit):
    with pytest.raises(SettingsError, match=r"engine\.memory_limit"):
        EngineSettings(memory_limit=limit)


def test_a_missing_spill_folder_is_named(tmp_path):
    engine = EngineSettings(spill_folder=str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match=r"engine\.spill_folder.*nowhere"), connect(engine):
        pass


def test_the_spill_folder_is_left_empty(tmp_path):
    with connect(EngineSettings(spill_folder=str(tmp_path))) as backend:
        assert backend.raw_sql("SELECT current_setting('threads')").fetchone()
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []
