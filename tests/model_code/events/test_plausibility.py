import pytest

from model_code.events.errors import IngestError
from model_code.events.source import TimeSettings, WindowSettings
from model_code.settings import SettingsError
from tests.model_code.events.raw_logs import ALL, T0, run, write


@pytest.mark.parametrize(
    ("name", "lines", "more", "message"),
    [
        (
            "a.csv",
            ["user,i,t", "1,2,3"],
            {},
            r"a\.csv: column 'u' is missing among user, i, t; .*columns\.user_id",
        ),
        ("a.csv", ["u,i,t,u", "1,2,3,4"], {}, "twice"),
        ("a.csv", ["u,i,t"], {}, "holds no record"),
        ("a.csv", ["u,i,t", "1,2"], {}, "no record passes: 1 unparsable row; the first is '1,2'"),
        ("a.csv", ["u,i,t", f"1,2,{T0 * 1000}"], {}, "source.time.unit: ms would fit"),
        ("a.csv", ["u,i,t", f"1,2,{T0}"], {"time": TimeSettings(unit="ms")}, "source.time.unit: s would fit"),
        ("a.csv", ["u,i,t", f"1,2,{T0 * 10**9}"], {}, "source.time.unit: ns would fit"),
        ("a.csv", ["u,i,t", "1,2,2017-11-25"], {}, "source.time.unit: iso would fit"),
        (
            "a.csv",
            ["u,i,t", f"1,2,{T0}"],
            {
                "time": TimeSettings(unit="ms"),
                "window": WindowSettings(start="2017-11-01T00:00:00Z", end="2018-01-01T00:00:00Z"),
            },
            "1 outside window.*source.time.unit: s would fit",
        ),
        ("a.csv", ["u,i,t", f"1,2,{T0}"], {"time": TimeSettings(zone="Mars/Base")}, "source.time.zone"),
        ("a.csv", ["u,i,t,b,c", f"1,2,{T0},pv,"], {"columns": ALL}, "source.columns.category_id is empty"),
        (
            "a.csv",
            ["u,i,t,b,c", f"1,2,{T0},pv,5"],
            {"columns": ALL, "behaviors_kept": ("click",)},
            r"behaviors_kept.*there are \['pv'\]",
        ),
        ("a.jsonl", ["{}"], {"header": ("u", "i", "t")}, "source.header"),
        ("a.parquet", ["no"], {}, "not a Parquet file"),
    ],
)
def test_a_log_that_cannot_be_used_says_why_and_leaves_nothing(tmp_path, name, lines, more, message):
    write(tmp_path / name, *lines)
    with pytest.raises((IngestError, SettingsError), match=message):
        run(tmp_path / name, tmp_path / "out", **more)
    assert [path.name for path in tmp_path.iterdir()] == [name]
