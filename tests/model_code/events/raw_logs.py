"""Writing small raw logs, and reading what became of them."""

from pyarrow import parquet

from model_code.events.engine import EngineSettings
from model_code.events.ingest import ingest
from model_code.events.source import ColumnSettings, SourceSettings

KEYS = ColumnSettings(user_id="u", item_id="i", timestamp="t")
ALL = ColumnSettings(user_id="u", item_id="i", timestamp="t", category_id="c", behavior="b")
T0 = 1_511_539_200  # seconds; 2017-11-25 00:00 in Beijing


def run(path, out, columns=KEYS, threads=1, **more):
    return ingest(
        SourceSettings(path=str(path), columns=columns, **more), EngineSettings(threads=threads), out
    )


def write(path, *lines, end="\n"):
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def events(log):
    return parquet.read_table(log.events).to_pylist()


def set_aside(log):
    table = parquet.read_table(log.quarantine)
    return [(row["file"], row["line"], row["reason"], row["record"]) for row in table.to_pylist()]
